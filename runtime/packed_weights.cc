// SPDX-License-Identifier: Apache-2.0
#include "runtime/packed_weights.h"

#include <algorithm>

#include "ops/core/error.h"
#include "runtime/model.h"

namespace vit {
namespace {

/// Writes rows [first, first + count) of parts that are stacked by rows.
void stacked_rows(const std::vector<Tensor>& parts, int64_t in, int64_t first, int64_t count, float* to) {
  for (const Tensor& part : parts) {
    const int64_t rows = part.shape[0], begin = std::clamp<int64_t>(first, 0, rows),
                  end = std::clamp<int64_t>(first + count, 0, rows);
    if (begin < end) part.to_float(begin * in, (end - begin) * in, to + (begin - first) * in);
    first -= rows;
  }
}

void stacked_bias(const LinearWeights& linear, float* to) {
  for (size_t i = 0; i < linear.weight.size(); ++i) {
    const int64_t rows = linear.weight[i].shape[0];
    if (i < linear.bias.size() && linear.bias[i]) linear.bias[i].to_float(0, rows, to);
    to += rows;
  }
}

}  // namespace

std::shared_ptr<const PackedLinear> PackCache::get(const std::string& key, const std::function<PackedLinear()>& make) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<const PackedLinear>& known = packed_[key];
  if (auto packed = known.lock()) return packed;
  auto packed = std::make_shared<const PackedLinear>(make());
  known = packed;
  return packed;
}

void drop_source(const Node& node, const WeightStore& store) {
  for (const Tensor& part : node.linear.weight) store.drop(part);
}

PackedLinear pack_node(const Node& node, const WeightStore& store, Precision precision, int64_t panel,
                       std::span<const float> column_factor, const Packing& packing) {
  const LinearWeights& linear = node.linear;
  PackedLinear packed = pack_linear(
      precision, linear.in, linear.out, panel,
      [&](int64_t first, int64_t count, float* to) { stacked_rows(linear.weight, linear.in, first, count, to); },
      [&](float* to) { stacked_bias(linear, to); }, column_factor, packing);
  if (!packing.keep_source) drop_source(node, store);
  return packed;
}

namespace {

/// What a .vit file has of the layer, if that is what is wanted.
const StoredLayer* stored_layer(const Model& model, const Node& node, Precision precision, std::span<const float> factor) {
  if (model.vit_file() == nullptr) return nullptr;
  const auto found = model.vit_file()->layers.find(node.name);
  if (found == model.vit_file()->layers.end() || found->second.packed.precision != precision) return nullptr;
  return std::ranges::equal(found->second.column_factor, factor) ? &found->second : nullptr;
}

}  // namespace

std::shared_ptr<const PackedLinear> shared_pack(const Model& model, const Node& node, Precision precision, int64_t panel,
                                                std::span<const float> column_factor, const Packing& packing) {
  std::string key = str(node.name, " in ", precision_name(precision), " panels of ", panel);
  // Other factors are other weights.
  key.append(reinterpret_cast<const char*>(column_factor.data()), column_factor.size_bytes());
  return model.packs().get(key, [&] {
    if (const StoredLayer* stored = stored_layer(model, node, precision, column_factor))
      return packed_from_file(node, *stored, panel);
    return pack_node(node, model.weights(), precision, panel, column_factor, packing);
  });
}

PackedLinear packed_from_file(const Node& node, const StoredLayer& stored, int64_t panel) {
  const PackedLinear& file = stored.packed;
  constexpr uintptr_t kAlignment = 64;  // which kernels count on
  PackedLinear packed;
  if (file.panel != panel || reinterpret_cast<uintptr_t>(file.weight.data()) % kAlignment != 0) {
    packed = with_panel(file, panel);
  } else {
    packed.precision = file.precision;
    packed.in = file.in, packed.out = file.out, packed.panel = panel;
    packed.weight = Buffer<uint8_t>::borrow(file.weight.data(), file.weight.size());
    packed.scale = Buffer<float>::borrow(file.scale.data(), file.scale.size());
    packed.column_sum = Buffer<float>::borrow(file.column_sum.data(), file.column_sum.size());
  }
  packed.bias = pad_to_panels(packed.out, panel, [&](float* to) { stacked_bias(node.linear, to); });
  return packed;
}

PackedLinear pack_patches_for_planes(const Node& node, Precision precision, int64_t panel) {
  const Tensor& weight = node.linear.weight[0];
  const int64_t out = weight.shape[0], in = weight.shape.elements() / out;
  return pack_linear(
      precision, in, out, panel, [&](int64_t first, int64_t count, float* to) { weight.to_float(first * in, count * in, to); },
      [&](float* to) { stacked_bias(node.linear, to); });
}

PackedLinear pack_patches_for_pixels(const Node& node, Precision precision, int64_t panel, const Normalisation& normalisation) {
  const Tensor& weight = node.linear.weight[0];
  const int64_t out = weight.shape[0], in = weight.shape.elements() / out, cells = in / 3;
  std::vector<float> bias(static_cast<size_t>(out)), channel_row(static_cast<size_t>(in));
  std::vector<int8_t> quantised(static_cast<size_t>(in));
  stacked_bias(node.linear, bias.data());
  PackedLinear packed = pack_linear(
      precision, in, out, panel,
      [&](int64_t first, int64_t count, float* to) {
        for (int64_t o = first; o < first + count; ++o, to += in) {
          weight.to_float(o * in, in, channel_row.data());
          for (int64_t c = 0; c < 3; ++c)
            for (int64_t cell = 0; cell < cells; ++cell)
              to[cell * 3 + c] = static_cast<float>(channel_row[static_cast<size_t>(c * cells + cell)] * normalisation.scale[c]);
          // The shift belongs to the weights as they are stored: with the exact ones the rounding of narrow weights would meet
          // the pixels' mean, which is larger than what is told by them.
          const float step = precision == Precision::kInt8 ? quantise_channel(to, in, quantised.data()) : 0;
          const auto stored = [&](int64_t k) -> double {
            switch (precision) {
              case Precision::kF32: return to[k];
              case Precision::kBF16: return from_bf16(to_bf16(to[k]));
              default: return double{step} * quantised[static_cast<size_t>(k)];
            }
          };
          double sums[3] = {};
          for (int64_t k = 0; k < in; ++k) sums[k % 3] += stored(k);
          double shift = 0;
          for (int64_t c = 0; c < 3; ++c) shift += sums[c] / normalisation.scale[c] * normalisation.shift[c];
          bias[static_cast<size_t>(o)] = static_cast<float>(bias[static_cast<size_t>(o)] + shift);
        }
      },
      nullptr);
  std::copy(bias.begin(), bias.end(), packed.bias.begin());
  return packed;
}

LinearFloats linear_floats(const LinearWeights& linear) {
  LinearFloats floats;
  for (const Tensor& part : linear.weight) floats.out += part.shape[0];
  floats.in = linear.weight[0].shape.elements() / linear.weight[0].shape[0];
  floats.weight.resize(static_cast<size_t>(floats.in * floats.out));
  floats.bias.resize(static_cast<size_t>(floats.out));
  stacked_rows(linear.weight, floats.in, 0, floats.out, floats.weight.data());
  stacked_bias(linear, floats.bias.data());
  return floats;
}

std::shared_ptr<const Buffer<float>> latent_query(const LatentQuery& query) {
  const LinearFloats w = linear_floats(query.linear);
  std::vector<float> latent(static_cast<size_t>(w.in));
  query.latent.to_float(0, w.in, latent.data());
  auto out = std::make_shared<Buffer<float>>(w.out);
  const float* weight = w.weight.data();
  for (int64_t o = 0; o < w.out; ++o) {
    double sum = static_cast<double>(w.bias[static_cast<size_t>(o)]);
    for (const float value : latent) sum += static_cast<double>(*weight++) * static_cast<double>(value);
    (*out)[o] = static_cast<float>(sum);
  }
  return out;
}

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  tensor.to_float(0, tensor.shape.elements(), values.data());
  return values;
}

std::shared_ptr<Buffer<float>> padded_floats(const Tensor& tensor, int64_t panel) {
  const int64_t channels = tensor.shape.elements();
  return std::make_shared<Buffer<float>>(pad_to_panels(channels, panel, [&](float* to) { tensor.to_float(0, channels, to); }));
}

}  // namespace vit
