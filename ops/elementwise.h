// SPDX-License-Identifier: Apache-2.0
// Steps that treat each number by itself, for where they could not be fused.
#pragma once

#include <memory>

#include "ops/core/memory.h"
#include "ops/kernel_table.h"
#include "ops/step.h"

namespace vit {

/// y = act(x). y may be x.
struct ActivationStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  Activation activation = Activation::kNone;
  void run(const Pass& pass) const noexcept override;
};

/// y = act(x[0 .. C)) * x[C .. 2C), C = channels. y may be x.
struct GatedActivationStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  Activation activation = Activation::kNone;
  void run(const Pass& pass) const noexcept override;
};

/// y = x * gamma. y may be x.
struct ScaleStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  std::shared_ptr<const Buffer<float>> gamma;
  void run(const Pass& pass) const noexcept override;
};

/// y = x * factor. y may be x.
struct MultiplyStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  float factor = 1;
  void run(const Pass& pass) const noexcept override;
};

/// y = a + b. y may be either.
struct AddStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef a, b, y;
  int64_t channels = 0;
  void run(const Pass& pass) const noexcept override;
};

/// y[column ..] = x
struct CopyStep final : Step {
  BufferRef x, y;
  int64_t channels = 0, y_column = 0;
  void run(const Pass& pass) const noexcept override;
};

}  // namespace vit
