// SPDX-License-Identifier: Apache-2.0
#include "quant/pack.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace vit {

Buffer<float> pad_to_panels(int64_t channels, int64_t panel, const std::function<void(float*)>& values) {
  Buffer<float> padded(round_up(channels, panel));
  if (values) values(padded.data());
  return padded;
}

float quantise_channel(const float* weight, int64_t in, int8_t* q) {
  // Magnitudes compare as integers do, in a loop that any vector unit has; lanes that do not wait for each other.
  constexpr int64_t kLanes = 16;
  int32_t lanes[kLanes] = {};
  const auto cover = [&](int64_t k, int64_t lane) {
    lanes[lane] = std::max(lanes[lane], std::bit_cast<int32_t>(weight[k]) & 0x7fffffff);
  };
  int64_t covered = 0;
  for (; covered + kLanes <= in; covered += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) cover(covered + lane, lane);
  for (; covered < in; ++covered) cover(covered, 0);
  const int32_t bits = *std::max_element(lanes, lanes + kLanes);
  const auto largest = std::bit_cast<float>(bits);
  if (!(largest > 0)) {
    std::fill(q, q + in, int8_t{0});
    return 0;
  }
  // 127 must come out for the largest weight, whatever its size: where 127 / largest is infinite, by division. Added to
  // 1.5 * 2^23, where float32 are whole numbers, a number is rounded to the nearest even, and its last eight bits are it.
  const auto round_all = [&](auto scaled) {
    for (int64_t k = 0; k < in; ++k) q[k] = static_cast<int8_t>(std::bit_cast<uint32_t>(scaled(weight[k]) + 0x1.8p23f) & 0xff);
  };
  const float inverse = 127 / largest;
  if (inverse <= std::numeric_limits<float>::max())
    round_all([=](float w) { return w * inverse; });
  else
    round_all([=](float w) { return w / largest * 127; });
  return largest / 127;
}

namespace {

/// One channel's operands, [steps][4 bytes], where they are not the weights themselves.
void make_operands(PackedLinear& packed, int64_t channel, const float* weight, uint8_t* to) {
  switch (packed.precision) {
    case Precision::kF32: return;
    case Precision::kBF16:
      for (int64_t k = 0; k < packed.in; ++k) {
        const uint16_t value = to_bf16(weight[k]);
        std::memcpy(to + 2 * k, &value, sizeof value);
      }
      return;
    case Precision::kInt8: {
      auto* q = reinterpret_cast<int8_t*>(to);
      packed.scale[channel] = quantise_channel(weight, packed.in, q);
      int32_t sum = 0;
      for (int64_t k = 0; k < packed.in; ++k) sum += q[k];
      packed.column_sum[channel] = static_cast<float>(sum);
    }
  }
}

/// What a panel is made in.
struct PanelRoom {
  Buffer<float> weights;      ///< [panel, in]
  Buffer<uint32_t> operands;  ///< [panel, steps]; of float32 the weights
  explicit PanelRoom(const PackedLinear& w)
      : weights(w.panel * w.in), operands(w.precision == Precision::kF32 ? 0 : w.panel * w.steps()) {}
};

/// Words, in registers: any vector unit has them. Strides in words.
void transpose_4x4(const uint8_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride) {
  typedef uint32_t Four __attribute__((vector_size(16)));
  Four row[4], pairs[4];
  for (int i = 0; i < 4; ++i) std::memcpy(&row[i], from + 4 * i * from_stride, sizeof row[i]);
  for (int i = 0; i < 2; ++i) {
    pairs[2 * i] = __builtin_shuffle(row[i], row[i + 2], Four{0, 4, 1, 5});
    pairs[2 * i + 1] = __builtin_shuffle(row[i], row[i + 2], Four{2, 6, 3, 7});
  }
  for (int i = 0; i < 2; ++i) {
    row[2 * i] = __builtin_shuffle(pairs[i], pairs[i + 2], Four{0, 4, 1, 5});
    row[2 * i + 1] = __builtin_shuffle(pairs[i], pairs[i + 2], Four{2, 6, 3, 7});
  }
  for (int i = 0; i < 4; ++i) std::memcpy(to + i * to_stride, &row[i], sizeof row[i]);
}

void pack_panel(PackedLinear& packed, int64_t index, const RowSource& rows, std::span<const float> column_factor,
                const PanelRoom& room) {
  const int64_t panel = packed.panel, in = packed.in, steps = packed.steps(), first = index * panel,
                count = std::min(panel, packed.out - first);
  const bool floats = packed.precision == Precision::kF32;
  rows(first, count, room.weights.data());
  for (int64_t c = 0; c < count; ++c) {
    float* weight = room.weights.data() + c * in;
    for (size_t k = 0; k < column_factor.size(); ++k) weight[k] *= column_factor[k];
    if (!floats) make_operands(packed, first + c, weight, reinterpret_cast<uint8_t*>(room.operands.data() + c * steps));
  }
  const void* made = floats ? static_cast<const void*>(room.weights.data()) : room.operands.data();
  const auto* operands = static_cast<const uint8_t*>(made);
  const auto word = [&](int64_t channel, int64_t step) {
    uint32_t value;
    std::memcpy(&value, operands + 4 * (channel * steps + step), sizeof value);
    return value;
  };
  auto* to = reinterpret_cast<uint32_t*>(packed.weight.data() + first * steps * 4);
  constexpr int64_t kBlock = 64;  // steps that stay in cache while they are transposed
  for (int64_t s0 = 0; s0 < steps; s0 += kBlock) {
    const int64_t end = std::min(s0 + kBlock, steps);
    int64_t c = 0;
    for (; c + 4 <= count; c += 4) {
      int64_t s = s0;
      for (; s + 4 <= end; s += 4) transpose_4x4(operands + 4 * (c * steps + s), steps, to + s * panel + c, panel);
      for (; s < end; ++s)
        for (int64_t i = c; i < c + 4; ++i) to[s * panel + i] = word(i, s);
    }
    for (; c < panel; ++c)
      for (int64_t s = s0; s < end; ++s) to[s * panel + c] = c < count ? word(c, s) : 0;
  }
}

/// Calls each(first, count) for parts of [first, first + count) that lie in one panel.
template <class Each>
void for_runs(int64_t first, int64_t count, int64_t panel, Each each) {
  for (const int64_t end = first + count; first < end;) {
    const int64_t run = std::min(end, (first / panel + 1) * panel) - first;
    each(first, run);
    first += run;
  }
}

}  // namespace

PackedLinear pack_linear(Precision precision, int64_t in, int64_t out, int64_t panel, const RowSource& rows,
                         const std::function<void(float*)>& bias, std::span<const float> column_factor, const Packing& packing) {
  PackedLinear packed;
  packed.precision = precision;
  packed.in = in, packed.out = out, packed.panel = panel;
  packed.weight = Buffer<uint8_t>(packed.panels() * packed.panel_bytes(), packing.pages, Fill::kNothing);
  packed.bias = pad_to_panels(out, panel, bias);
  if (precision == Precision::kInt8) {
    packed.scale = pad_to_panels(out, panel, nullptr);
    packed.column_sum = pad_to_panels(out, panel, nullptr);
  }
  constexpr int64_t kMostWorkers = 8;  // more would wait for memory, and take room
  const Workers workers = packing.workers.at_most(std::min(packed.panels(), kMostWorkers));
  std::vector<PanelRoom> rooms;
  for (int i = 0; i < workers.threads; ++i) rooms.emplace_back(packed);
  workers.for_each(packed.panels(), [&](int worker, int64_t p) {
    pack_panel(packed, p, rows, column_factor, rooms[static_cast<size_t>(worker)]);
  });
  return packed;
}

PackedLinear with_panel(const PackedLinear& packed, int64_t panel) {
  PackedLinear other;
  other.precision = packed.precision;
  other.in = packed.in, other.out = packed.out, other.panel = panel;
  other.weight = Buffer<uint8_t>(other.panels() * other.panel_bytes(), Pages::kShared);
  const auto widened = [&](const Buffer<float>& values) {
    return pad_to_panels(packed.out, panel, [&](float* to) { std::copy_n(values.data(), packed.out, to); });
  };
  if (packed.bias.size() != 0) other.bias = widened(packed.bias);
  if (packed.precision == Precision::kInt8) other.scale = widened(packed.scale), other.column_sum = widened(packed.column_sum);
  const int64_t steps = packed.steps();
  const auto* from = reinterpret_cast<const uint32_t*>(packed.weight.data());
  auto* to = reinterpret_cast<uint32_t*>(other.weight.data());
  for (int64_t p = 0; p < other.panels(); ++p)
    for (int64_t s = 0; s < steps; ++s)
      for_runs(p * panel, std::min(panel, packed.out - p * panel), packed.panel, [&](int64_t channel, int64_t count) {
        std::copy_n(from + (channel / packed.panel * steps + s) * packed.panel + channel % packed.panel, count,
                    to + (p * steps + s) * panel + channel - p * panel);
      });
  return other;
}

void unpack_channel(const PackedLinear& packed, int64_t channel, int64_t first, int64_t count, float* to) {
  const int64_t panel = packed.panel, per_step = 4 / operand_size(packed.precision);
  const uint8_t* column = packed.panel_bytes_at(channel / panel) + channel % panel * 4;
  for (int64_t k = first; k < first + count; ++k) {
    const uint8_t* at = column + k / per_step * panel * 4 + k % per_step * operand_size(packed.precision);
    switch (packed.precision) {
      case Precision::kF32: std::memcpy(to++, at, sizeof(float)); break;
      case Precision::kBF16: {
        uint16_t value;
        std::memcpy(&value, at, sizeof value);
        *to++ = from_bf16(value);
        break;
      }
      case Precision::kInt8: *to++ = packed.scale[channel] * static_cast<float>(static_cast<int8_t>(*at));
    }
  }
}

}  // namespace vit
