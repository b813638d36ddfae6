// SPDX-License-Identifier: Apache-2.0
// DINOv2 (Oquab et al. 2023), with and without registers (Darcet et al. 2023), after transformers' modeling_dinov2.py and
// modeling_dinov2_with_registers.py: the base models and their ...ForImageClassification.
#include "ops/core/checked.h"
#include "ops/core/error.h"
#include "runtime/arch/family.h"
#include "runtime/arch/hf_parts.h"

namespace vit {
namespace {

enum class Mlp { kPlain, kSwiGlu };

/// int(hidden_size * mlp_ratio); of SwiGLU two thirds of that, rounded up to a multiple of 8.
int64_t mlp_size(const JsonFields& config, int64_t channels, Mlp kind) {
  const double ratio = config.number("mlp_ratio", {0, 1024}, 4);
  const auto plain = static_cast<int64_t>(static_cast<double>(channels) * ratio);
  const int64_t size = kind == Mlp::kPlain ? plain : round_up(plain * 2 / 3, 8);
  if (size < kMlpRange.min || size > kMlpRange.max) config.fail("mlp_ratio", str("an MLP of 1 to ", kMlpRange.max, " channels"));
  return size;
}

Value plain_mlp(Graph& g, Value x, const JsonFields& config, const Weights& w, const HfConfig& c, const std::string& name) {
  const int64_t C = c.model.embed_dim, M = c.model.mlp_dim;
  cross_check(config, "mlp_ratio", w, "mlp.fc1.weight", Shape{M, C});
  x = g.linear(x, linear_weights(w, "mlp.fc1", M, C), name + ".fc1");
  x = g.activation(x, c.activation, name + ".act");
  return g.linear(x, linear_weights(w, "mlp.fc2", C, M), name + ".fc2");
}

// Gate and value come from one layer, the gate first, or from two (transformers 5 in memory). The gate is SiLU whatever
// hidden_act says.
Value swiglu_mlp(Graph& g, Value x, const JsonFields& config, const Weights& w, const HfConfig& c, const std::string& name) {
  const int64_t C = c.model.embed_dim, M = c.model.mlp_dim;
  const bool split = w.has("mlp.gate_proj.weight");
  const std::string down = name_in_file(w, {"mlp.weights_out", "mlp.down_proj"});
  cross_check(config, "mlp_ratio", w, down + ".weight", Shape{C, M});
  x = g.linear(x,
               split ? stacked({linear_weights(w, "mlp.gate_proj", M, C), linear_weights(w, "mlp.up_proj", M, C)})
                     : linear_weights(w, "mlp.weights_in", 2 * M, C),
               name + ".fc1");
  x = g.gated_activation(x, Activation::kSilu, name + ".act");
  return g.linear(x, linear_weights(w, down, C, M), name + ".fc2");
}

// Pre-norm block with LayerScale (Dinov2Layer.forward). x: [rows, C].
Value block(Graph& g, Value x, const JsonFields& config, const Weights& w, const HfConfig& c, Mlp mlp, const std::string& name) {
  const int64_t C = c.model.embed_dim;

  // x = x + scale1 * proj(attention(norm1(x)))
  Value y = g.layer_norm(x, norm_weights(w, "norm1", C), c.eps, name + ".norm1");
  y = self_attention(g, y, config, w, c, name);
  y = g.scale(y, w.take("layer_scale1.lambda1", Shape{C}), name + ".scale1");
  x = g.add(x, y, name + ".residual1");

  // x = x + scale2 * mlp(norm2(x))
  y = g.layer_norm(x, norm_weights(w, "norm2", C), c.eps, name + ".norm2");
  y = mlp == Mlp::kSwiGlu ? swiglu_mlp(g, y, config, w, c, name) : plain_mlp(g, y, config, w, c, name);
  y = g.scale(y, w.take("layer_scale2.lambda1", Shape{C}), name + ".scale2");
  return g.add(x, y, name);
}

}  // namespace

BuiltModel build_hf_dinov2(const JsonFields& config, const WeightStore& store) {
  const bool registers = config.text("model_type") == "dinov2_with_registers";
  HfConfig c = read_hf_config(config, {.layer_norm_eps = 1e-6, .patch_size = registers ? 16 : 14});
  ModelConfig& m = c.model;
  const Mlp mlp = config.boolean("use_swiglu_ffn", false) ? Mlp::kSwiGlu : Mlp::kPlain;
  m.mlp_dim = mlp_size(config, m.embed_dim, mlp);
  m.num_registers = registers ? config.integer("num_register_tokens", {0, 4096}, 4) : 0;
  const std::string base = registers ? "Dinov2WithRegisters" : "Dinov2";
  const bool classifier = read_has_classifier(config, store, base + "Model", base + "ForImageClassification");
  m.architecture = base + (classifier ? "ForImageClassification" : "Model");

  const Weights weights(store);
  const std::string body = prefix_in_file(store, m.family + "."), layers = layers_in_file(config, store, body, m.depth);
  const Weights w = weights.at(body);
  if (registers)
    cross_check(config, "num_register_tokens", w, "embeddings.register_tokens", Shape{1, m.num_registers, m.embed_dim});

  Graph g;
  Value x = embed(g, config, w, c, NativePositions::kIfSquare, /*antialias=*/registers);
  for (int64_t i = 0; i < m.depth; ++i) {
    const std::string index = std::to_string(i);
    x = block(g, x, config, weights.at(layers + index + "."), c, mlp, "blocks." + index);
  }
  x = g.layer_norm(x, norm_weights(w, "layernorm", m.embed_dim), c.eps, "norm");
  g.set_output(Output::kFeatures, x);
  const Value pooled = g.select_row(x, TokenKind::kClass, "embedding");
  g.set_output(Output::kEmbedding, pooled);

  if (classifier) {
    m.labels = read_labels(config, rows_in_file(weights, "classifier.weight"));
    const auto K = static_cast<int64_t>(m.labels.size());
    cross_check(config, "id2label", weights, "classifier.weight", Shape{K, 2 * m.embed_dim});
    const Value both = g.concat(pooled, g.mean_rows(x, TokenKind::kPatch, "patch_mean"), "pool");
    g.set_output(Output::kLogits, g.linear(both, linear_weights(weights, "classifier", K, 2 * m.embed_dim), "logits"));
  }

  weights.ignore(body + "embeddings.mask_token");
  if (registers && m.num_registers == 0) weights.ignore(body + "embeddings.register_tokens");
  weights.require_all_used();
  return {std::move(m), std::move(g)};
}

}  // namespace vit
