// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace vit {

/// 8-bit RGB pixels of somebody else: [height, width, 3], rows `stride_bytes` apart.
struct PixelView {
  const uint8_t* data = nullptr;
  int64_t height = 0, width = 0, stride_bytes = 0;
};

/// What 8-bit pixels mean to a model: x = pixel * scale[c] + shift[c]. scale = rescale / std, shift = -mean / std.
struct Normalisation {
  double scale[3] = {1, 1, 1};
  double shift[3] = {0, 0, 0};
};

}  // namespace vit
