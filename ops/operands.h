// SPDX-License-Identifier: Apache-2.0
// Rows as the operands that the next product reads (quant/precision.h), and columns of weights as a product.
#pragma once

#include <cstring>
#include <vector>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

/// `rows` rows of x [n] as operands in y; strides in floats; not overlapping.
inline void make_operands(const KernelTable& kernels, Precision precision, const float* x, int64_t x_stride, int64_t rows,
                          int64_t n, float* y, int64_t y_stride) {
  if (precision == Precision::kInt8)
    return kernels.quantise_rows(x, x_stride, rows, n, reinterpret_cast<uint8_t*>(y), y_stride * 4);
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride)
    if (precision == Precision::kBF16)
      kernels.bf16_row(x, n, reinterpret_cast<uint16_t*>(y));
    else
      std::memcpy(y, x, static_cast<size_t>(n) * sizeof(float));
}

/// Columns [first, first + columns) of narrow weights, from the beginning of a panel on; rows and results are the caller's.
inline Product product_with(const PackedLinear& w, int64_t first, int64_t columns) {
  Product product;
  product.panels = w.panel_bytes_at(first / w.panel);
  product.bias = w.bias.data() + first;
  if (w.precision == Precision::kInt8)
    product.weight_scale = w.scale.data() + first, product.column_sum = w.column_sum.data() + first;
  product.steps = w.steps();
  product.columns = columns;
  return product;
}

inline void multiply(const KernelTable& kernels, Precision precision, const Product& product) {
  (precision == Precision::kInt8 ? kernels.multiply_int8 : kernels.multiply_bf16)(product);
}

/// Of a layer that 8 bits are not enough for.
inline Precision wider_precision(const KernelTable& kernels) { return kernels.has_bf16 ? Precision::kBF16 : Precision::kF32; }

/// Rows of float32 as operands, where the step that made them could not write them so.
struct OperandsStep final : Step {
  const KernelTable* kernels = nullptr;
  Precision precision = Precision::kF32;
  BufferRef x, y;
  int64_t channels = 0;
  std::vector<float> factors = {};  ///< of each channel; empty: ones

  int64_t scratch_floats(int64_t) const override { return factors.empty() ? 0 : kOperandRows * row_stride(channels); }
  void run(const Pass& pass) const noexcept override {
    pass.for_each(work, [&](int, int64_t begin, int64_t end) {
      if (factors.empty())
        return make_operands(*kernels, precision, pass.row(x, begin), x.stride, end - begin, channels, pass.row(y, begin),
                             y.stride);
      const int64_t stride = row_stride(channels);
      for_tiles(begin, end, kOperandRows, [&](int64_t row, int64_t rows) {
        for (int64_t r = 0; r < rows; ++r)
          kernels->scale_row(pass.row(x, row + r), factors.data(), channels, pass.scratch + r * stride);
        make_operands(*kernels, precision, pass.scratch, stride, rows, channels, pass.row(y, row), y.stride);
      });
    });
  }
};

}  // namespace vit
