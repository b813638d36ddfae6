// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/hf_parts.h"

#include <cmath>
#include <tuple>

#include "ops/core/error.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

/// The first name that begins with `prefix`, or nothing.
std::string first_name(const WeightStore& store, const std::string& prefix) {
  const auto it = store.tensors().lower_bound(prefix);
  return it != store.tensors().end() && it->first.starts_with(prefix) ? it->first : "";
}

/// The grid as which transformers sees N positions when it resamples them: a square. N that is none it cannot resample; then the
/// model's own grid.
std::pair<int64_t, int64_t> position_grid(int64_t grid_height, int64_t grid_width) {
  const int64_t count = grid_height * grid_width;
  const int64_t side = std::llround(std::sqrt(static_cast<double>(count)));
  return side * side == count ? std::pair(side, side) : std::pair(grid_height, grid_width);
}

}  // namespace

std::string name_in_file(const Weights& w, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (w.has(std::string(name) + ".weight")) return name;
  return *names.begin();
}

std::string prefix_in_file(const WeightStore& store, const std::string& prefix) {
  return first_name(store, prefix + "embeddings.").empty() ? "" : prefix;
}

std::string layers_in_file(const JsonFields& config, const WeightStore& store, const std::string& body, int64_t depth) {
  std::string layers = body + "encoder.layer.";
  const auto first_of = [&](int64_t layer) { return first_name(store, str(layers, layer, ".")); };
  for (const std::string& other : {layers, body + "layers.", std::string("encoder.layer."), std::string("layers.")})
    if (first_of(0).empty() && !first_name(store, other + "0.").empty()) layers = other;
  int64_t found = 0;
  while (!first_of(found).empty()) ++found;
  VIT_CHECK(found <= depth, Code::kModel, config.file(), ": num_hidden_layers: expected ", found, ", since the file has ",
            printable(first_of(found - 1)), ", found ", depth);
  VIT_CHECK(found == 0 || found == depth, Code::kModel, config.file(), ": num_hidden_layers: expected ", found,
            ", since the file has no ", layers, found, ", found ", depth);
  return layers;
}

Value embed(Graph& g, const JsonFields& config, const Weights& w, const HfConfig& c, NativePositions native, bool antialias) {
  const ModelConfig& m = c.model;
  const int64_t C = m.embed_dim, grid_height = m.image_height / m.patch_height, grid_width = m.image_width / m.patch_width;
  const int64_t first_patch = (c.class_token ? 1 : 0) + (m.distilled ? 1 : 0);
  const Shape kernel{C, m.channels, m.patch_height, m.patch_width}, table{1, first_patch + grid_height * grid_width, C},
      token{1, 1, C};
  const std::string projection = "embeddings.patch_embeddings.projection", positions = "embeddings.position_embeddings";

  if (c.class_token) cross_check(config, "hidden_size", w, "embeddings.cls_token", token);
  cross_check(config, "patch_size, num_channels", w, projection + ".weight", kernel);
  cross_check(config, "image_size", w, positions, table);

  LinearWeights conv{{w.take(projection + ".weight", kernel)},
                     {w.take(projection + ".bias", Shape{C})},
                     m.channels * m.patch_height * m.patch_width,
                     C};
  Value x = g.patch_embed(g.pixels(m.channels), std::move(conv), m.patch_height, m.patch_width, "patch_embed");

  PositionWeights p;
  p.table = w.take(positions, table);
  p.first_row = first_patch;  // the rows before are the tokens'
  std::tie(p.grid_height, p.grid_width) = position_grid(grid_height, grid_width);
  p.rule.antialias = antialias;
  if (native == NativePositions::kAsStored || m.image_height == m.image_width) {
    p.rule.native_height = grid_height;
    p.rule.native_width = grid_width;
  }
  std::vector<PrefixToken> prefix;
  if (c.class_token) prefix.push_back({TokenKind::kClass, w.take("embeddings.cls_token", token), 0, p.table, 0});
  if (m.distilled) prefix.push_back({TokenKind::kDistillation, w.take("embeddings.distillation_token", token), 0, p.table, 1});
  x = g.add_positions(x, std::move(p), "positions");

  if (m.num_registers > 0) {
    const Tensor registers = w.take("embeddings.register_tokens", Shape{1, m.num_registers, C});
    for (int64_t r = 0; r < m.num_registers; ++r) prefix.push_back({TokenKind::kRegister, registers, r, {}, 0});
  }
  return g.prepend_tokens(x, std::move(prefix), "tokens");
}

Value self_attention(Graph& g, Value x, const JsonFields& config, const Weights& w, const HfConfig& c, const std::string& block) {
  const int64_t C = c.model.embed_dim;
  const Bias bias = c.qkv_bias ? Bias::kYes : Bias::kNo;
  const std::string query = name_in_file(w, {"attention.attention.query", "attention.q_proj"}),
                    key = name_in_file(w, {"attention.attention.key", "attention.k_proj"}),
                    value = name_in_file(w, {"attention.attention.value", "attention.v_proj"}),
                    output = name_in_file(w, {"attention.output.dense", "attention.o_proj"});
  VIT_CHECK(c.qkv_bias || !w.has(query + ".bias"), Code::kModel, config.file(), ": qkv_bias: expected true, since the file has ",
            w.look(query + ".bias").name, ", found false");

  Value y = g.linear(
      x,
      stacked({linear_weights(w, query, C, C, bias), linear_weights(w, key, C, C, bias), linear_weights(w, value, C, C, bias)}),
      block + ".qkv");
  y = g.attention(y, static_cast<int>(c.model.num_heads), block + ".attention");
  return g.linear(y, linear_weights(w, output, C, C), block + ".proj");
}

}  // namespace vit
