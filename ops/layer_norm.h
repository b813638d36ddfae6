// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ops/core/memory.h"
#include "ops/kernel_table.h"
#include "ops/step.h"

namespace vit {

/// y = (x - mean) / sqrt(var + eps) * gamma + beta, row by row. y may be x.
struct LayerNormStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  float eps = 0;
  std::shared_ptr<const Buffer<float>> gamma, beta;

  void run(const Pass& pass) const noexcept override;
};

}  // namespace vit
