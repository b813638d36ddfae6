// SPDX-License-Identifier: Apache-2.0
// Which source pixels make each pixel of one axis, and with what weights: Pillow's precompute_coeffs, and what torch makes of it.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/image/recipe.h"

namespace vit {

/// Output pixels [begin, end) of one axis.
struct AxisWindow {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// The pixels of a window of one axis. Output i, counted from the window's begin, is the sum of weight(i)[t] * source[first(i) +
/// t].
class ResizeAxis {
 public:
  /// `from` source pixels become `to`, of which `window` is wanted. `filter` is not kNearest. Throws Error(kMemory) when the
  /// weights take more than `max_bytes`.
  ResizeAxis(int64_t from, int64_t to, AxisWindow window, Filter filter, Resampler resampler, uint64_t max_bytes);

  int64_t size() const { return static_cast<int64_t>(spans_.size()); }
  int64_t first(int64_t i) const { return spans_[static_cast<size_t>(i)].first; }
  int64_t taps(int64_t i) const { return spans_[static_cast<size_t>(i)].taps; }
  int64_t last(int64_t i) const { return first(i) + taps(i); }  ///< one past it
  /// 22-bit fixed point: 1 is 2^22. torch's weights have fewer bits; zeros follow them, so that sums and rounding are torch's.
  const int32_t* weights(int64_t i) const { return weights_.data() + spans_[static_cast<size_t>(i)].offset; }
  int64_t most_taps() const;
  uint64_t weights_bytes() const { return weights_.size() * sizeof(int32_t); }

 private:
  struct Span {
    int64_t first, taps;
    size_t offset;
  };
  std::vector<Span> spans_;
  std::vector<int32_t> weights_;
};

/// Source index of each pixel of the window by Pillow's nearest rule, -1 where it falls outside.
std::vector<int64_t> nearest_axis(int64_t from, int64_t to, AxisWindow window);
/// The same by torch's; nothing falls outside.
std::vector<int64_t> torch_nearest_axis(int64_t from, int64_t to, AxisWindow window);

}  // namespace vit
