// SPDX-License-Identifier: Apache-2.0
// Learned position tables brought to another grid, as the model's own container does it.
#pragma once

#include <cstdint>

namespace vit {

/// How a container resizes its table: torch.nn.functional.interpolate(mode="bicubic", align_corners=False) to an explicit size.
struct PositionRule {
  bool antialias = false;  ///< false: four taps, a = -0.75; true: the window grows with the scale, a = -0.5
  /// The grid for which the table's rows are taken as they stand, row-major. 0: none. It may differ from the grid as which the
  /// table is seen when it is resized: transformers always sees it as a square.
  int64_t native_height = 0, native_width = 0;
};

/// table: [grid_height * grid_width, channels], row-major over the grid; out: [new_height * new_width, channels]. Both are not
/// empty. Sample points are float32 as torch has them, sums double: equal to torch's float32 within a few ulp of the largest
/// value.
void interpolate_positions(const float* table, int64_t grid_height, int64_t grid_width, int64_t channels,
                           const PositionRule& rule, int64_t new_height, int64_t new_width, float* out);

}  // namespace vit
