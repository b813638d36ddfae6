// SPDX-License-Identifier: Apache-2.0
// ViT (Dosovitskiy et al. 2020) after transformers' modeling_vit.py: ViTModel and ViTForImageClassification.
#include "runtime/arch/family.h"
#include "runtime/arch/hf_parts.h"

namespace vit {
namespace {

// Pre-norm encoder block (ViTLayer.forward). x: [rows, C].
Value block(Graph& g, Value x, const JsonFields& config, const Weights& w, const HfConfig& c, const std::string& name) {
  const int64_t C = c.model.embed_dim, M = c.model.mlp_dim;
  const std::string fc1 = name_in_file(w, {"intermediate.dense", "mlp.fc1"}), fc2 = name_in_file(w, {"output.dense", "mlp.fc2"});
  cross_check(config, "intermediate_size", w, fc1 + ".weight", Shape{M, C});

  // x = x + proj(attention(norm1(x)))
  Value y = g.layer_norm(x, norm_weights(w, "layernorm_before", C), c.eps, name + ".norm1");
  x = g.add(x, self_attention(g, y, config, w, c, name), name + ".residual1");

  // x = x + fc2(act(fc1(norm2(x))))
  y = g.layer_norm(x, norm_weights(w, "layernorm_after", C), c.eps, name + ".norm2");
  y = g.linear(y, linear_weights(w, fc1, M, C), name + ".fc1");
  y = g.activation(y, c.activation, name + ".act");
  y = g.linear(y, linear_weights(w, fc2, C, M), name + ".fc2");
  return g.add(x, y, name);
}

// ViTPooler: act(dense(class token)).
Value pooler(Graph& g, Value pooled, const JsonFields& config, const Weights& w, int64_t channels) {
  const int64_t size = config.maybe_integer("pooler_output_size", {0, kWidthRange.max}).value_or(0), out = size ? size : channels;
  cross_check(config, "pooler_output_size", w, "pooler.dense.weight", Shape{out, channels});
  const Value y = g.linear(pooled, linear_weights(w, "pooler.dense", out, channels), "pooler.dense");
  return g.activation(y, read_activation(config, "pooler_act", "tanh"), "embedding");
}

}  // namespace

BuiltModel build_hf_vit(const JsonFields& config, const WeightStore& store) {
  HfConfig c = read_hf_config(config, {.layer_norm_eps = 1e-12, .patch_size = 16});
  ModelConfig& m = c.model;
  m.mlp_dim = config.integer("intermediate_size", kMlpRange, 3072);
  const bool classifier = read_has_classifier(config, store, "ViTModel", "ViTForImageClassification");
  m.architecture = classifier ? "ViTForImageClassification" : "ViTModel";

  const Weights weights(store);
  const std::string body = prefix_in_file(store, "vit."), layers = layers_in_file(config, store, body, m.depth);
  const Weights w = weights.at(body);

  Graph g;
  Value x = embed(g, config, w, c, NativePositions::kAsStored, /*antialias=*/false);
  for (int64_t i = 0; i < m.depth; ++i) {
    const std::string index = std::to_string(i);
    x = block(g, x, config, w.at(layers + index + "."), c, "blocks." + index);
  }
  x = g.layer_norm(x, norm_weights(w, "layernorm", m.embed_dim), c.eps, "norm");
  Value pooled = g.select_row(x, TokenKind::kClass, "pool");
  g.set_output(Output::kFeatures, x);

  if (classifier) {
    m.labels = read_labels(config);
    const auto K = static_cast<int64_t>(m.labels.size());
    cross_check(config, "id2label", weights, "classifier.weight", Shape{K, m.embed_dim});
    g.set_output(Output::kLogits, g.linear(pooled, linear_weights(weights, "classifier", K, m.embed_dim), "logits"));
    for (const char* part : {"weight", "bias"}) weights.ignore(body + "pooler.dense." + part);
  } else if (w.has("pooler.dense.weight") || w.has("pooler.dense.bias")) {
    pooled = pooler(g, pooled, config, w, m.embed_dim);
  }
  g.set_output(Output::kEmbedding, pooled);

  for (const char* name : {"embeddings.mask_token", "embeddings.position_ids"}) weights.ignore(body + name);
  weights.require_all_used();
  return {std::move(m), std::move(g)};
}

}  // namespace vit
