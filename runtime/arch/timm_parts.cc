// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/timm_parts.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "ops/core/error.h"
#include "runtime/labels.h"

namespace vit {
namespace {

NormWeights weights_of(const Weights& w, const std::string& key, int64_t channels, const TimmNorm& norm) {
  NormWeights weights{w.take(key + ".weight", Shape{channels}), {}};
  if (norm.kind == TimmNorm::Kind::kLayer) weights.beta = w.take(key + ".bias", Shape{channels});
  return weights;
}

Value norm_of(Graph& g, Value x, const Weights& w, const std::string& key, const TimmNorm& norm, const std::string& name) {
  NormWeights weights = weights_of(w, key, g.node(x).channels, norm);
  if (norm.kind == TimmNorm::Kind::kRms) return g.rms_norm(x, std::move(weights.gamma), norm.eps, name);
  return g.layer_norm(x, std::move(weights), norm.eps, name);
}

/// q_norm and k_norm: `heads` heads of queries, then of keys, each head by itself.
Value query_key_norm(Graph& g, Value qkv, const Weights& w, const TimmConfig& c, int64_t heads, const std::string& name) {
  if (!c.qk_norm) return qkv;
  const int64_t C = c.model.embed_dim, D = C / heads;
  return g.head_norm(qkv,
                     {{0, heads, weights_of(w, "q_norm", D, c.norm_layer)}, {C, heads, weights_of(w, "k_norm", D, c.norm_layer)}},
                     c.norm_layer.eps, name + ".qk_norm");
}

/// The grid of which the file has positions: the model's, or a square one that timm would resample when it loads the file.
std::pair<int64_t, int64_t> stored_grid(const Weights& w, int64_t prefix, int64_t height, int64_t width) {
  if (!w.has("pos_embed") || w.look("pos_embed").shape.rank() != 3) return {height, width};
  const int64_t cells = w.look("pos_embed").shape[1] - prefix;
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(cells, 0)))));
  const bool resampled = cells != height * width && side > 0 && side * side == cells;
  return resampled ? std::pair(side, side) : std::pair(height, width);
}

std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  tensor.to_float(0, tensor.shape.elements(), values.data());
  return values;
}

/// exp(a · b)
double exp_of_dot(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = values_of(a), y = values_of(b);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return std::exp(sum);
}

/// _compute_lambda
double lambda_of(const Weights& w, int64_t head_dim, double initial) {
  if (w.has("lambda_a"))
    return std::exp(static_cast<double>(values_of(w.take("lambda_a", Shape{}))[0])) -
           std::exp(static_cast<double>(values_of(w.take("lambda_b", Shape{}))[0])) + initial;
  const auto vector = [&](const char* name) { return w.take(name, Shape{head_dim}); };
  return exp_of_dot(vector("lambda_q1"), vector("lambda_k1")) - exp_of_dot(vector("lambda_q2"), vector("lambda_k2")) + initial;
}

/// Factors of [q | k | v] that leave one half of each head's queries: there sqrt(2), since attention divides by the square root
/// of the whole head; 0 in the other half, 1 in keys and values.
Tensor half_of_queries(int64_t channels, int64_t head_dim, int64_t half) {
  std::vector<float> factors(static_cast<size_t>(3 * channels), 1.0f);
  for (int64_t i = 0; i < channels; ++i)
    factors[static_cast<size_t>(i)] = i % head_dim / (head_dim / 2) == half ? static_cast<float>(std::sqrt(2.0)) : 0.0f;
  return constant_tensor("half of the queries", Shape{3 * channels}, std::move(factors));
}

/// [C, channels, height, width]; of old files a matrix with the same elements in the same order.
Tensor patch_weight(const TimmSource& source, const Weights& w, const ModelConfig& m) {
  const std::string name = "patch_embed.proj.weight";
  const Shape kernel{m.embed_dim, m.channels, m.patch_height, m.patch_width},
      matrix{m.embed_dim, m.channels * m.patch_height * m.patch_width};
  if (w.has(name) && w.look(name).shape == matrix) {
    Tensor weight = w.take(name, matrix);
    weight.shape = kernel;
    return weight;
  }
  cross_check(source.argument("embed_dim"), "embed_dim, in_chans, patch_size", w, name, kernel);
  return w.take(name, kernel);
}

}  // namespace

Value timm_embed(Graph& g, const TimmSource& source, const Weights& w, const TimmConfig& c) {
  const ModelConfig& m = c.model;
  const int64_t C = m.embed_dim, grid_height = m.image_height / m.patch_height, grid_width = m.image_width / m.patch_width;
  const int64_t prefix = (c.class_token ? 1 : 0) + (c.distilled ? 1 : 0) + c.reg_tokens;
  Value x = g.patch_embed(g.pixels(m.channels),
                          {{patch_weight(source, w, m)},
                           {c.pre_norm ? Tensor{} : w.take("patch_embed.proj.bias", Shape{C})},
                           m.channels * m.patch_height * m.patch_width,
                           C},
                          m.patch_height, m.patch_width, "patch_embed");
  if (c.embed_norm_layer) x = norm_of(g, x, w, "patch_embed.norm", *c.embed_norm_layer, "patch_embed.norm");

  Tensor table;
  if (c.pos_embed || c.distilled) {
    PositionWeights p;
    p.first_row = c.no_embed_class ? 0 : prefix;
    std::tie(p.grid_height, p.grid_width) = stored_grid(w, p.first_row, grid_height, grid_width);
    const Shape shape{1, p.first_row + p.grid_height * p.grid_width, C};
    cross_check(source.argument("img_size"), "img_size, reg_tokens, class_token, no_embed_class", w, "pos_embed", shape);
    table = p.table = w.take("pos_embed", shape);
    p.rule.antialias = true;
    if (p.grid_height == grid_height && p.grid_width == grid_width)
      p.rule.native_height = grid_height, p.rule.native_width = grid_width;
    x = g.add_positions(x, std::move(p), "positions");
  }

  std::vector<PrefixToken> tokens;
  const auto add = [&](TokenKind kind, const Tensor& value, int64_t row) {
    const auto at = static_cast<int64_t>(tokens.size());
    tokens.push_back({kind, value, row, c.no_embed_class ? Tensor{} : table, at});
  };
  if (c.class_token) add(TokenKind::kClass, w.take("cls_token", Shape{1, 1, C}), 0);
  if (c.distilled) add(TokenKind::kDistillation, w.take("dist_token", Shape{1, 1, C}), 0);
  if (c.reg_tokens > 0) {
    const Tensor registers = w.take("reg_token", Shape{1, c.reg_tokens, C});
    for (int64_t r = 0; r < c.reg_tokens; ++r) add(TokenKind::kRegister, registers, r);
  }
  return g.prepend_tokens(x, std::move(tokens), "tokens");
}

Value timm_norm(Graph& g, Value x, const Weights& w, const std::string& key, const TimmConfig& c, const std::string& name) {
  return norm_of(g, x, w, key, c.norm_layer, name);
}

Value timm_layer_scale(Graph& g, Value x, const Weights& w, const std::string& key, const TimmConfig& c,
                       const std::string& name) {
  if (c.init_values.value_or(0) == 0) return x;
  return g.scale(x, w.take(key + ".gamma", Shape{c.model.embed_dim}), name);
}

Value timm_heads(Graph& g, Value qkv, const Weights& w, const TimmConfig& c, const std::string& name) {
  qkv = query_key_norm(g, qkv, w, c, c.model.num_heads, name);
  return g.attention(qkv, static_cast<int>(c.model.num_heads), name + ".attention");
}

// A head's queries and keys are two halves, each with an attention of its own over the same values; the second is taken from the
// first.
Value timm_differential_heads(Graph& g, Value qkv, const Weights& w, const TimmConfig& c, int64_t depth,
                              const std::string& name) {
  const int64_t C = c.model.embed_dim, H = c.model.num_heads, D = C / H;
  const double initial = 0.8 - 0.6 * std::exp(-0.3 * static_cast<double>(depth)), lambda = lambda_of(w, D / 2, initial);
  qkv = query_key_norm(g, qkv, w, c, 2 * H, name);
  const auto attend = [&](int64_t half) {
    const std::string part = str(name, ".attention", half + 1);
    return g.attention(g.scale(qkv, half_of_queries(C, D, half), part + ".q"), static_cast<int>(H), part);
  };
  const Value first = attend(0), second = attend(1);
  Value y = g.add(first, g.multiply(second, static_cast<float>(-lambda), name + ".lambda"), name + ".difference");
  constexpr float kEps = 1e-5f;  // whatever the model's norms have
  y = g.head_norm(y, {{0, H, {w.take("sub_norm.weight", Shape{D}), {}}}}, kEps, name + ".sub_norm");
  return g.multiply(y, static_cast<float>(1 - initial), name + ".sub_scale");
}

Value timm_attention(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name) {
  const int64_t C = c.model.embed_dim;
  Value y = g.linear(x, linear_weights(w, "qkv", 3 * C, C, c.qkv_bias ? Bias::kYes : Bias::kNo), name + ".qkv");
  y = c.attn_layer == TimmAttention::kDifferential ? timm_differential_heads(g, y, w, c, depth, name)
                                                   : timm_heads(g, y, w, c, name);
  if (c.scale_attn_norm) y = timm_norm(g, y, w, "norm", c, name + ".norm");
  return g.linear(y, linear_weights(w, "proj", C, C, timm_proj_bias(c)), name + ".proj");
}

Value timm_mlp(Graph& g, Value x, const Weights& w, const TimmConfig& c, const std::string& name) {
  const int64_t C = c.model.embed_dim, M = c.mlp_hidden;
  const Bias bias = timm_proj_bias(c);
  int64_t inner = M;
  switch (c.mlp_layer) {
    case TimmMlp::kPlain:
      x = g.activation(g.linear(x, linear_weights(w, "fc1", M, C, bias), name + ".fc1"), c.act_layer, name + ".act");
      break;
    case TimmMlp::kSwiGlu:
      x = g.linear(x, stacked({linear_weights(w, "fc1_g", M, C, bias), linear_weights(w, "fc1_x", M, C, bias)}), name + ".fc1");
      x = g.gated_activation(x, c.act_layer, name + ".act");
      break;
    case TimmMlp::kSwiGluPacked:
      inner = M / 2;
      x = g.gated_activation(g.linear(x, linear_weights(w, "fc1", M, C, bias), name + ".fc1"), c.act_layer, name + ".act");
      break;
  }
  if (c.scale_mlp_norm) x = timm_norm(g, x, w, "norm", c, name + ".norm");
  return g.linear(x, linear_weights(w, "fc2", C, inner, bias), name + ".fc2");
}

std::vector<std::string> timm_labels(const TimmSource& source, int64_t count) {
  std::vector<std::string> labels;
  const JsonFields* const file = source.file();
  const auto names = file != nullptr ? file->maybe_texts("label_names") : std::nullopt;
  const auto descriptions = file != nullptr ? file->maybe_object("label_descriptions") : std::nullopt;
  if (names && static_cast<int64_t>(names->size()) != count)
    file->fail("label_names", str("as many as there are classes, ", count));
  if (!names) labels = builtin_labels(count);
  for (auto i = static_cast<int64_t>(labels.size()); i < count; ++i) {
    const std::string name = names ? (*names)[static_cast<size_t>(i)] : str("LABEL_", i);
    labels.push_back(names && descriptions && descriptions->has(name) ? descriptions->text(name) : name);
  }
  return labels;
}

}  // namespace vit
