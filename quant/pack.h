// SPDX-License-Identifier: Apache-2.0
// Weights in the layout that the matrix tiles read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

#include "ops/core/memory.h"
#include "ops/core/team.h"
#include "quant/precision.h"

namespace vit {

/// A linear layer's weights, packed: panels of `panel` output channels, [out / panel][steps][panel][4 bytes], the last one filled
/// with zeros. A step is four bytes of a channel's weights: one float, two bfloat16 or four signed 8-bit numbers.
/// Immutable once made; shared between plans.
struct PackedLinear {
  Precision precision = Precision::kF32;
  int64_t in = 0, out = 0, panel = 0;
  Buffer<uint8_t> weight;
  Buffer<float> bias;  ///< [out], like all vectors here padded to whole panels with zeros
  // 8-bit weights: w = scale[out] * q, -127 <= q <= 127; column_sum[out] = sum of q.
  Buffer<float> scale, column_sum;

  int64_t panels() const { return (out + panel - 1) / panel; }
  int64_t steps() const { return operand_steps(precision, in); }
  int64_t panel_bytes() const { return steps() * panel * 4; }
  const uint8_t* panel_bytes_at(int64_t p) const { return weight.data() + p * panel_bytes(); }
  /// Of float32 weights.
  const float* panel_at(int64_t p) const { return reinterpret_cast<const float*>(panel_bytes_at(p)); }
  int64_t bytes() const {
    return weight.size() + (bias.size() + scale.size() + column_sum.size()) * static_cast<int64_t>(sizeof(float));
  }
};

/// The part of the weights behind [from, from + bytes) that a tile of rows [row, row + rows) out of `all` brings into the cache
/// while it works on these: as much again in all, if there is so much.
struct Upcoming {
  const void* from = nullptr;
  int64_t lines = 0;  ///< of 64 bytes
  Upcoming(const PackedLinear& w, const void* begin, int64_t bytes, int64_t row, int64_t rows, int64_t all) {
    const uint8_t* next = static_cast<const uint8_t*>(begin) + bytes;
    const int64_t total = std::min(bytes, w.weight.data() + w.panels() * w.panel_bytes() - next) / 64, first = total * row / all;
    from = next + 64 * first;
    lines = total * (row + rows) / all - first;
  }
};

/// Writes output channels [first, first + count) of a weight, [count, in] as float32. Several threads may ask at the same time
/// where pack_linear() has them; nothing is thrown.
using RowSource = std::function<void(int64_t first, int64_t count, float* to)>;

/// How packed weights are made: the pages that they lie in, the threads that share the work, and whether the source is read again
/// soon, so that its mapped pages stay.
struct Packing {
  Pages pages = Pages::kShared;
  Workers workers = {};
  bool keep_source = false;
};

/// `bias` may be empty: zeros. `column_factor` [in] multiplies the weights of each input channel, or is empty. The same bits for
/// any number of workers. Throws Error(kMemory).
PackedLinear pack_linear(Precision precision, int64_t in, int64_t out, int64_t panel, const RowSource& rows,
                         const std::function<void(float* to)>& bias, std::span<const float> column_factor = {},
                         const Packing& packing = {});

/// The same weights in panels of another width.
PackedLinear with_panel(const PackedLinear& packed, int64_t panel);

/// Weights [first, first + count) of one output channel as float32: what the stored numbers stand for.
void unpack_channel(const PackedLinear& packed, int64_t channel, int64_t first, int64_t count, float* to);

/// A per-channel vector, padded with zeros to whole panels.
Buffer<float> pad_to_panels(int64_t channels, int64_t panel, const std::function<void(float* to)>& values);

/// One channel's weights as symmetric 8-bit numbers, round to nearest even: w = scale * q with the largest |q| = 127. The range
/// is whole, -128 is left out: |u8 * s8| sums of pairs then fit where a kernel counts on it. Returns the scale; 0 for all zeros.
float quantise_channel(const float* weight, int64_t in, int8_t* q);

}  // namespace vit
