// SPDX-License-Identifier: Apache-2.0
// Normalisations other than the plain LayerNorm of whole rows: RMSNorm, heads of a row each by itself, patches before they get
// their positions.
#pragma once

#include <memory>
#include <vector>

#include "ops/core/memory.h"
#include "ops/kernel_table.h"
#include "ops/step.h"

namespace vit {

/// A LayerNorm, or without beta an RMSNorm, of adjacent channels.
struct RowNorm {
  std::shared_ptr<const Buffer<float>> gamma, beta;
  int64_t channels = 0;
  float eps = 0;

  /// y may be x.
  void apply(const KernelTable& kernels, const float* x, float* y) const noexcept {
    if (beta)
      kernels.layer_norm_rows(x, 0, 1, gamma->data(), beta->data(), eps, channels, y, 0);
    else
      kernels.rms_norm_row(x, gamma->data(), eps, channels, y);
  }
};

/// y = norm(x), row by row. y may be x.
struct RowNormStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  RowNorm norm;
  void run(const Pass& pass) const noexcept override;
};

/// y = x with some heads of each row normalised. y may be x.
struct HeadNormStep final : Step {
  struct Part {
    int64_t first = 0, heads = 0;  ///< columns [first, first + heads * norm.channels)
    RowNorm norm;
  };
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  std::vector<Part> parts;
  void run(const Pass& pass) const noexcept override;
};

/// y = norm(y) + position, for the patches among the rows; prefix tokens stay as they are.
struct PatchNormStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef y;
  int64_t prefix_rows = 0;
  RowNorm norm;
  void run(const Pass& pass) const noexcept override;
};

}  // namespace vit
