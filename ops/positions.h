// SPDX-License-Identifier: Apache-2.0
// Learned position tables brought to another grid, as the model's own container does it.
#pragma once

#include <cstdint>

namespace vit {

/// How a container resizes its table (torch.nn.functional.interpolate with align_corners=False, an explicit size).
struct PositionRule {
  bool antialias = false;          ///< bicubic with a = -0.75, or antialiased with a = -0.5
  bool fixed_if_same_count = true;  ///< left alone when the number of patches is the table's and the image is square
};

/// table: [grid_height * grid_width, channels], row-major over the grid; out: [new_height * new_width, channels].
/// float32 results of double arithmetic; equal to torch's float32 within a few ulp of the table's largest value.
void interpolate_positions(const float* table, int64_t grid_height, int64_t grid_width, int64_t channels, const PositionRule& rule,
                           int64_t new_height, int64_t new_width, float* out);

}  // namespace vit
