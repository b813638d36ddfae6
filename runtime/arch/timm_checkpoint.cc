// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/timm_checkpoint.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/core/error.h"

namespace vit {
namespace {

/// One replacement in a name; they apply one after the other, each everywhere.
struct Renaming {
  std::string_view from, to;
};

constexpr Renaming kClip[] = {{"conv1", "patch_embed.proj"},
                              {"positional_embedding", "pos_embed"},
                              {"transformer.resblocks.", "blocks."},
                              {"ln_pre", "norm_pre"},
                              {"ln_post", "norm"},
                              {"ln_", "norm"},
                              {"in_proj_", "qkv."},
                              {"out_proj", "proj"},
                              {"mlp.c_fc", "mlp.fc1"},
                              {"mlp.c_proj", "mlp.fc2"}};
constexpr Renaming kAimv2[] = {{"norm_1", "norm1"},
                               {"norm_2", "norm2"},
                               {"preprocessor.patchifier.", "patch_embed."},
                               {"preprocessor.pos_embed", "pos_embed"},
                               {"trunk.", ""},
                               {"post_trunk_norm.", "norm."},
                               {"mlp.fc1", "mlp.fc1_g"},
                               {"mlp.fc3", "mlp.fc1_x"}};
// Of each pair of branches A is the one for pictures.
constexpr Renaming kBeit3[] = {{"beit3.", ""},
                               {"vision_embed.cls_token", "cls_token"},
                               {"vision_embed.", "patch_embed."},
                               {"embed_positions.", "pos_embed."},
                               {"encoder.", ""},
                               {"layers.", "blocks."},
                               {"ffn_layernorm.", "norm."},
                               {"ffn.", "mlp."},
                               {"self_attn_layer_norm.", "norm1."},
                               {"self_attn.", "attn."},
                               {"final_layer_norm.", "norm2."},
                               {"inner_attn_ln", "norm"},
                               {"out_proj", "proj"},
                               {".A.", "."}};
constexpr Renaming kDinov2[] = {{"mlp.w12.", "mlp.fc1."}, {"mlp.w3.", "mlp.fc2."}, {"register_tokens", "reg_token"}};
constexpr Renaming kDeit3[] = {{"gamma_1", "ls1.gamma"}, {"gamma_2", "ls2.gamma"}};

/// How a kind of file is told, by a tensor that only it has, and what becomes of its names.
struct Layout {
  std::string_view mark;
  std::string_view prefix;  ///< tensors whose names do not begin so are of other parts, and left out
  std::span<const Renaming> renamings = {};
};

const Layout kLayouts[] = {{"visual.class_embedding", "visual.", kClip},
                           {"module.visual.class_embedding", "module.visual.", kClip},
                           {"mask_token", "", kDinov2},
                           {"vision_encoder.mask_token", "vision_encoder.", kDinov2},
                           {"beit3.vision_embed.cls_token", "", kBeit3},
                           {"visual.trunk.pos_embed", "visual.trunk."},
                           {"visual.trunk.blocks.0.norm1.weight", "visual.trunk."},
                           {"module.visual.trunk.pos_embed", "module.visual.trunk."},
                           {"preprocessor.patchifier.proj.weight", "", kAimv2},
                           {"blocks.0.gamma_1", "", kDeit3}};

std::string renamed(std::string name, std::span<const Renaming> renamings) {
  for (const Renaming& r : renamings)
    for (size_t at = 0; (at = name.find(r.from, at)) != std::string::npos; at += r.to.size())
      name.replace(at, r.from.size(), r.to);
  return name;
}

std::vector<float> values_of(const Tensor& tensor) {
  VIT_CHECK(tensor.dtype != DType::kOther, Code::kModel, tensor.name, ": expected a floating-point type, the file has ",
            tensor.dtype_code);
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  tensor.to_float(0, tensor.shape.elements(), values.data());
  return values;
}

void require_rank(const Tensor& tensor, int rank) {
  VIT_CHECK(tensor.shape.rank() == rank, Code::kModel, tensor.name, ": expected a tensor of ", rank, " axes, the file has ",
            tensor.shape);
}

/// The same elements with axes of length 1 in front.
Tensor unsqueezed(Tensor tensor, int rank) {
  std::vector<int64_t> dims = tensor.shape.dims();
  while (static_cast<int>(dims.size()) < rank) dims.insert(dims.begin(), 1);
  tensor.shape = Shape(std::move(dims));
  return tensor;
}

Tensor transposed(const Tensor& tensor) {
  require_rank(tensor, 2);
  const int64_t rows = tensor.shape[0], columns = tensor.shape[1];
  const std::vector<float> from = values_of(tensor);
  std::vector<float> to(from.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) to[static_cast<size_t>(c * rows + r)] = from[static_cast<size_t>(r * columns + c)];
  return constant_tensor(tensor.name, Shape{columns, rows}, std::move(to));
}

Tensor named(Tensor tensor, std::string name) {
  tensor.name = std::move(name);
  return tensor;
}

/// A head without a bias.
void add_head(WeightStore& to, Tensor weight) {
  require_rank(weight, 2);
  const int64_t classes = weight.shape[0];
  to.add(constant_tensor("head.bias", Shape{classes}, std::vector<float>(static_cast<size_t>(classes))));
  to.add(named(std::move(weight), "head.weight"));
}

using Tensors = std::map<std::string, Tensor>;

const Tensor* find(const Tensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

void add_clip(WeightStore& to, const std::string& name, const Tensor& tensor) {
  if (name == "proj") return add_head(to, transposed(tensor));
  if (name == "class_embedding") return to.add(named(unsqueezed(tensor, 3), "cls_token"));
  to.add(named(name == "pos_embed" ? unsqueezed(tensor, 3) : tensor, name));
}

/// Neither the class token nor the registers of timm's model have a position: the class token takes its own in.
void add_registers(WeightStore& to, const Tensor& token, const Tensor& positions) {
  require_rank(positions, 3);
  const int64_t rows = positions.shape[1], channels = positions.shape[2];
  VIT_CHECK(positions.shape[0] == 1 && rows > 1 && token.shape == (Shape{1, 1, channels}), Code::kModel, positions.name,
            ": expected [1, more than one, C] beside a class token [1, 1, C], the file has ", positions.shape, " and ",
            token.shape);
  std::vector<float> cls = values_of(token), table = values_of(positions);
  for (size_t c = 0; c < cls.size(); ++c) cls[c] += table[c];
  table.erase(table.begin(), table.begin() + channels);
  to.add(constant_tensor("cls_token", Shape{1, 1, channels}, std::move(cls)));
  to.add(constant_tensor("pos_embed", Shape{1, rows - 1, channels}, std::move(table)));
}

/// A stack of tensors of as many rows each: q, k, v.
Tensor stacked_rows(const Tensors& tensors, const std::string& name, std::string_view part) {
  const Tensor& first = tensors.at(name);
  std::vector<const Tensor*> parts;
  for (const char* which : {"q_proj", "k_proj", "v_proj"}) {
    std::string other = name;
    other.replace(other.find(part), part.size(), which);
    parts.push_back(find(tensors, other));
    VIT_CHECK(parts.back() != nullptr, Code::kModel, other, ": expected it beside ", name, ", the file has none");
    VIT_CHECK(parts.back()->shape == first.shape, Code::kModel, other, ": expected the shape of ", name, ", ", first.shape,
              ", the file has ", parts.back()->shape);
  }
  std::vector<int64_t> dims = first.shape.dims();
  VIT_CHECK(!dims.empty(), Code::kModel, name, ": expected a tensor of 1 or 2 axes, the file has a number");
  dims[0] *= 3;
  std::vector<float> values;
  for (const Tensor* tensor : parts) {
    const std::vector<float> rows = values_of(*tensor);
    values.insert(values.end(), rows.begin(), rows.end());
  }
  return constant_tensor(name, Shape(std::move(dims)), std::move(values));
}

/// BEiT-3: queries, keys and values apart, and two positions that no picture uses in front of the others.
void add_beit3(WeightStore& to, const Tensors& tensors, const std::string& full, const std::string& name) {
  const Tensor& tensor = tensors.at(full);
  if (full.find(".B.") != std::string::npos || full == "beit3.text_embed.weight" || full == "beit3.vision_embed.mask_token")
    return;
  if (name == "pos_embed.weight") {
    require_rank(tensor, 2);
    constexpr int64_t kUnused = 2;
    const int64_t rows = tensor.shape[0] - kUnused;
    VIT_CHECK(rows > 0, Code::kModel, full, ": expected more than ", kUnused, " positions, the file has ", tensor.shape);
    return to.add(named(unsqueezed(tensor.rows(kUnused, rows), 3), "pos_embed"));
  }
  if (const size_t q = name.find("q_proj."); q != std::string::npos)
    return to.add(named(stacked_rows(tensors, full, "q_proj"), std::string(name).replace(q, 6, "qkv")));
  if (name.find("k_proj.") == std::string::npos && name.find("v_proj.") == std::string::npos) to.add(named(tensor, name));
}

WeightStore converted(const Tensors& tensors, const Layout& layout) {
  WeightStore to;
  const bool clip = layout.renamings.data() == kClip, beit3 = layout.renamings.data() == kBeit3;
  const std::string prefix(layout.prefix);
  const Tensor *const registers = find(tensors, prefix + "register_tokens"), *const token = find(tensors, prefix + "cls_token"),
                      *const positions = find(tensors, prefix + "pos_embed");
  const bool own_positions = layout.renamings.data() == kDinov2 && registers && token && positions;
  if (own_positions) add_registers(to, *token, *positions);
  for (const auto& [full, tensor] : tensors) {
    if (!full.starts_with(prefix) || full == prefix + "mask_token") continue;
    if (own_positions && (&tensor == token || &tensor == positions)) continue;
    const std::string name = renamed(full.substr(prefix.size()), layout.renamings);
    if (clip)
      add_clip(to, name, tensor);
    else if (beit3)
      add_beit3(to, tensors, full, name);
    else
      to.add(named(tensor, name));
  }
  const Tensor* const head = find(tensors, "visual.head.proj.weight");
  if (layout.prefix == "visual.trunk." && head && !find(to.tensors(), "head.weight")) add_head(to, *head);
  return to;
}

}  // namespace

std::optional<WeightStore> timm_checkpoint(const WeightStore& store) {
  for (const Layout& layout : kLayouts)
    if (find(store.tensors(), std::string(layout.mark))) return converted(store.tensors(), layout);
  return std::nullopt;
}

}  // namespace vit
