// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ops/core/memory.h"
#include "ops/operands.h"
#include "ops/step.h"

namespace vit {

/// y = (x - mean) / sqrt(var + eps) * gamma + beta, row by row, in float32 (y may then be x) or as operands of the next product.
struct LayerNormStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  float eps = 0;
  Precision operands = Precision::kF32;
  std::shared_ptr<const Buffer<float>> gamma, beta;

  int64_t scratch_floats(int64_t) const override { return operands == Precision::kF32 ? 0 : kOperandRows * row_stride(channels); }
  void run(const Pass& pass) const noexcept override;
};

}  // namespace vit
