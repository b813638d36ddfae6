// SPDX-License-Identifier: Apache-2.0
// Weights in the layout that the matrix tile reads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "ops/core/memory.h"

namespace vit {

/// A linear layer's weights, packed: panels of `panel` output channels, [out / panel][in][panel], the last one filled with zeros.
/// Immutable once made; shared between plans.
struct PackedLinear {
  int64_t in = 0, out = 0, panel = 0;
  Buffer<float> weight;
  Buffer<float> bias;  ///< [out], padded to whole panels with zeros

  int64_t panels() const { return (out + panel - 1) / panel; }
  const float* panel_at(int64_t p) const { return weight.data() + p * in * panel; }
  int64_t panel_floats() const { return in * panel; }
};

/// The part of the weights behind [from, from + floats) that a tile of rows [row, row + rows) out of `all` brings into the cache
/// while it works on these: as much again in all, if there is so much.
struct Upcoming {
  const float* from = nullptr;
  int64_t lines = 0;  ///< of 64 bytes
  Upcoming(const PackedLinear& w, const float* begin, int64_t floats, int64_t row, int64_t rows, int64_t all) {
    const float* next = begin + floats;
    const int64_t total = std::min(floats, w.weight.data() + w.panels() * w.panel_floats() - next) / 16,
                  first = total * row / all;
    from = next + 16 * first;
    lines = total * (row + rows) / all - first;
  }
};

/// Writes output channels [first, first + count) of a weight, [count, in] as float32.
using RowSource = std::function<void(int64_t first, int64_t count, float* to)>;

/// `bias` may be empty: zeros. Throws Error(kMemory).
PackedLinear pack_linear(int64_t in, int64_t out, int64_t panel, const RowSource& rows,
                         const std::function<void(float* to)>& bias);

/// A per-channel vector, padded with zeros to whole panels.
Buffer<float> pad_to_panels(int64_t channels, int64_t panel, const std::function<void(float* to)>& values);

}  // namespace vit
