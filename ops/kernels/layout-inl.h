// SPDX-License-Identifier: Apache-2.0
// Kernels that move numbers from one layout to another.
#pragma once

#include <string.h>

#include "ops/kernels/simd.h"

namespace vit {
namespace {

/// y[c][r] = x[r][c] for r < rows, c < columns; x: rows x_stride apart, y: rows y_stride apart, not overlapping.
/// Blocks of 4 x 4, which every instruction set here can transpose in registers.
void transpose_block(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* y, int64_t y_stride) noexcept {
  typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
  typedef int32_t Index __attribute__((vector_size(16)));
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float* from = x + r * x_stride;
    int64_t c = 0;
    for (; c + 4 <= columns; c += 4) {
      Four row[4];
      for (int i = 0; i < 4; ++i) memcpy(&row[i], from + i * x_stride + c, sizeof(Four));
      const Four a = __builtin_shuffle(row[0], row[1], Index{0, 4, 1, 5}),
                 b = __builtin_shuffle(row[2], row[3], Index{0, 4, 1, 5});
      const Four d = __builtin_shuffle(row[0], row[1], Index{2, 6, 3, 7}),
                 e = __builtin_shuffle(row[2], row[3], Index{2, 6, 3, 7});
      const Four column[4] = {__builtin_shuffle(a, b, Index{0, 1, 4, 5}), __builtin_shuffle(a, b, Index{2, 3, 6, 7}),
                              __builtin_shuffle(d, e, Index{0, 1, 4, 5}), __builtin_shuffle(d, e, Index{2, 3, 6, 7})};
      for (int i = 0; i < 4; ++i) memcpy(y + (c + i) * y_stride + r, &column[i], sizeof(Four));
    }
    for (; c < columns; ++c)
      for (int i = 0; i < 4; ++i) y[c * y_stride + r + i] = from[i * x_stride + c];
  }
  for (; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) y[c * y_stride + r] = x[r * x_stride + c];
}

/// One patch of an 8-bit image as floats: patch_height runs of run_bytes adjacent bytes, stride_bytes apart. y: their product.
void gather_patch(const uint8_t* pixels, int64_t stride_bytes, int64_t patch_height, int64_t run_bytes, float* y) noexcept {
  for (int64_t row = 0; row < patch_height; ++row, pixels += stride_bytes, y += run_bytes)
    for (int64_t i = 0; i < run_bytes; ++i) y[i] = static_cast<float>(pixels[i]);
}

}  // namespace
}  // namespace vit
