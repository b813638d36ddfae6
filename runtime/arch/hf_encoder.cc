// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/hf_encoder.h"

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

HfConfig read_hf_vit_config(const JsonFields& config, double layer_norm_eps) {
  HfConfig c = read_hf_config(config, {.layer_norm_eps = layer_norm_eps, .patch_size = 16});
  c.model.mlp_dim = config.integer("intermediate_size", kMlpRange, 3072);
  return c;
}

HfBody build_hf_body(Graph& g, const JsonFields& config, const WeightStore& store, const HfConfig& c, const std::string& prefix) {
  const Weights weights(store);
  const std::string body = prefix_in_file(store, prefix), layers = layers_in_file(config, store, body, c.model.depth);
  const Weights w = weights.at(body);
  Value x = embed(g, config, w, c, NativePositions::kAsStored, /*antialias=*/false);
  for (int64_t i = 0; i < c.model.depth; ++i) {
    const std::string index = std::to_string(i);
    x = block(g, x, config, weights.at(layers + index + "."), c, "blocks." + index);
  }
  x = g.layer_norm(x, norm_weights(w, "layernorm", c.model.embed_dim), c.eps, "norm");
  g.set_output(Output::kFeatures, x);
  return {weights, w, body, x};
}

void set_embedding(Graph& g, const JsonFields& config, const HfBody& body, int64_t channels, Value pooled, bool has_head) {
  if (has_head) {
    for (const char* part : {"weight", "bias"}) body.weights.ignore(body.prefix + "pooler.dense." + part);
  } else if (body.w.has("pooler.dense.weight") || body.w.has("pooler.dense.bias")) {
    pooled = pooler(g, pooled, config, body.w, channels);
  }
  g.set_output(Output::kEmbedding, pooled);
}

Value classify(Graph& g, const JsonFields& config, const HfBody& body, ModelConfig& m, Value pooled, const std::string& name,
               const std::string& node) {
  if (m.labels.empty()) m.labels = read_labels(config, rows_in_file(body.weights, name + ".weight"));
  const auto K = static_cast<int64_t>(m.labels.size());
  cross_check(config, "id2label", body.weights, name + ".weight", Shape{K, m.embed_dim});
  return g.linear(pooled, linear_weights(body.weights, name, K, m.embed_dim), node);
}

void finish(const HfBody& body) {
  for (const char* name : {"embeddings.mask_token", "embeddings.position_ids"}) body.weights.ignore(body.prefix + name);
  body.weights.require_all_used();
}

}  // namespace vit
