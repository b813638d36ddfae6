// SPDX-License-Identifier: Apache-2.0
// Weights in the layout that the matrix tile reads.
#pragma once

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
};

/// Writes output channels [first, first + count) of a weight, [count, in] as float32.
using RowSource = std::function<void(int64_t first, int64_t count, float* to)>;

/// `bias` may be empty: zeros. Throws Error(kMemory).
PackedLinear pack_linear(int64_t in, int64_t out, int64_t panel, const RowSource& rows, const std::function<void(float* to)>& bias);

/// A per-channel vector, padded with zeros to whole panels.
Buffer<float> pad_to_panels(int64_t channels, int64_t panel, const std::function<void(float* to)>& values);

}  // namespace vit
