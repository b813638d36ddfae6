// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/core/memory.h"
#include "ops/pixels.h"

namespace vit {

/// 8-bit RGB pixels that we own: [height, width, 3], rows adjacent, zeroed at first.
struct Pixels {
  Pixels() = default;
  Pixels(int64_t rows, int64_t columns) : data(rows * columns * 3), height(rows), width(columns) {}
  uint8_t* row(int64_t y) const { return data.data() + y * width * 3; }
  PixelView view() const { return {data.data(), height, width, width * 3}; }

  Buffer<uint8_t> data;
  int64_t height = 0, width = 0;
};

}  // namespace vit
