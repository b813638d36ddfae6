// SPDX-License-Identifier: Apache-2.0
#include "ops/layer_norm.h"

namespace vit {

void LayerNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    const auto normalise = [&](int64_t row, int64_t rows, float* to, int64_t stride) {
      kernels->layer_norm_rows(pass.row(x, row), x.stride, rows, gamma->data(), beta->data(), eps, channels, to, stride);
    };
    if (operands == Precision::kF32) return normalise(begin, end - begin, pass.row(y, begin), y.stride);
    const int64_t stride = row_stride(channels);
    if (operands == Precision::kInt8)
      return kernels->layer_norm_int8_rows(pass.row(x, begin), x.stride, end - begin, gamma->data(), beta->data(), eps, channels,
                                           pass.scratch, stride, reinterpret_cast<uint8_t*>(pass.row(y, begin)), y.stride * 4);
    for_tiles(begin, end, kOperandRows, [&](int64_t row, int64_t rows) {
      normalise(row, rows, pass.scratch, stride);
      make_operands(*kernels, operands, pass.scratch, stride, rows, channels, pass.row(y, row), y.stride);
    });
  });
}

}  // namespace vit
