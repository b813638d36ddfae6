// SPDX-License-Identifier: Apache-2.0
// Rows as the operands that the next product reads (quant/precision.h), and columns of weights as a product.
#pragma once

#include <cstring>
#include <vector>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

/// `x` [n] as operands in `y`; not overlapping.
inline void make_operands(const KernelTable& kernels, Precision precision, const float* x, int64_t n, void* y) {
  switch (precision) {
    case Precision::kF32: std::memcpy(y, x, static_cast<size_t>(n) * sizeof(float)); return;
    case Precision::kBF16: kernels.bf16_row(x, n, static_cast<uint16_t*>(y)); return;
    case Precision::kInt8: kernels.quantise_row(x, n, static_cast<uint8_t*>(y)); return;
  }
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

  int64_t scratch_floats(int64_t) const override { return static_cast<int64_t>(factors.size()); }
  void run(const Pass& pass) const noexcept override {
    pass.for_each(work, [&](int, int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float* from = pass.row(x, r);
        if (!factors.empty()) {
          kernels->scale_row(from, factors.data(), channels, pass.scratch);
          from = pass.scratch;
        }
        make_operands(*kernels, precision, from, channels, pass.row(y, r));
      }
    });
  }
};

}  // namespace vit
