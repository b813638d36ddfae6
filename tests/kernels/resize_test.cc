// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/kernels/checks.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {

void check_resize_rows(const KernelTable& kernels) {
  for (const int64_t bytes : {1, 3, 7, 15, 16, 17, 47, 48, 49, 100, 255})
    for (const int64_t taps : {1, 2, 5, 13}) {
      CAPTURE(bytes, taps);
      Random random(16);
      const int64_t stride = bytes + 5;
      Guarded<uint8_t> src(random.bytes((taps - 1) * stride + bytes), 1), dst(bytes, 1);
      // Negative lobes and sums beyond one reach both ends of the clipping; 255 times the sum of all sizes fits 31 bits.
      std::vector<int32_t> weights;
      for (int64_t t = 0; t < taps; ++t) weights.push_back(static_cast<int32_t>((random.below(1 << 23) - (1 << 21)) / taps));
      kernels.resize_rows(src.data(), stride, weights.data(), taps, bytes, dst.data());
      CHECK(dst.guards_intact());
      for (int64_t i = 0; i < bytes; ++i) {
        int64_t sum = 1 << 21;
        for (int64_t t = 0; t < taps; ++t) sum += int64_t{src[t * stride + i]} * weights[static_cast<size_t>(t)];
        CHECK(dst[i] == std::clamp<int64_t>(static_cast<int32_t>(sum) >> 22, 0, 255));
      }
    }
}

void check_resize_transpose_in(const KernelTable& kernels) {
  for (const int64_t rows : {1, 5, 16})
    for (const int64_t bytes : {1, 15, 16, 33}) {
      CAPTURE(rows, bytes);
      Random random(17);
      const int64_t stride = bytes + 3;
      Guarded<uint8_t> src(random.bytes((rows - 1) * stride + bytes), 1), dst(bytes * 16, 1);
      kernels.resize_transpose_in(src.data(), stride, rows, bytes, dst.data());
      CHECK(dst.guards_intact());
      for (int64_t i = 0; i < bytes; ++i)
        for (int64_t r = 0; r < rows; ++r) CHECK(dst[i * 16 + r] == src[r * stride + i]);
    }
}

void check_resize_transpose_out(const KernelTable& kernels) {
  for (const int64_t rows : {1, 5, 16})
    for (const int64_t bytes : {1, 15, 16, 33}) {
      CAPTURE(rows, bytes);
      Random random(18);
      const int64_t stride = bytes + 3;
      Guarded<uint8_t> src(random.bytes(bytes * 16), 1), dst((rows - 1) * stride + bytes, 1);
      kernels.resize_transpose_out(src.data(), rows, bytes, dst.data(), stride);
      CHECK(dst.guards_intact());
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < bytes; ++i) CHECK(dst[r * stride + i] == src[i * 16 + r]);
    }
}

}  // namespace vit
