// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/checks.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {

void check_transpose_block(const KernelTable& kernels) {
  for (const int64_t rows : {1, 3, 4, 5, 11, 12, 16})
    for (const int64_t columns : {1, 2, 4, 7, 24, 33}) {
      CAPTURE(rows, columns);
      Random random(14);
      const int64_t x_stride = columns + 3, y_stride = rows + 2;
      Guarded<float> x(random.normals(rows * x_stride), 1), y((columns - 1) * y_stride + rows, 3);
      kernels.transpose_block(x.data(), x_stride, rows, columns, y.data(), y_stride);
      CHECK(y.guards_intact());
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) CHECK(y[c * y_stride + r] == x[r * x_stride + c]);
    }
}

void check_gather_patch(const KernelTable& kernels) {
  for (const int64_t patch_height : {1, 4, 14})
    for (const int64_t run : {3, 12, 42, 48, 96}) {
      CAPTURE(patch_height, run);
      Random random(15);
      const int64_t stride = run * 3 + 1;
      Guarded<uint8_t> pixels(random.bytes((patch_height - 1) * stride + run), 1);
      Guarded<float> y(patch_height * run, 1);
      kernels.gather_patch(pixels.data(), stride, patch_height, run, y.data());
      CHECK(y.guards_intact());
      for (int64_t r = 0; r < patch_height; ++r)
        for (int64_t i = 0; i < run; ++i) CHECK(y[r * run + i] == static_cast<float>(pixels[r * stride + i]));
    }
}

}  // namespace vit
