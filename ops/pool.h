// SPDX-License-Identifier: Apache-2.0
// From the rows of an image to one vector, and from the run's buffers to the caller's results.
#pragma once

#include <optional>

#include "ops/kernel_table.h"
#include "ops/step.h"

namespace vit {

/// y[image] = the first row whose token is of this kind.
struct SelectRowStep final : Step {
  BufferRef x, y;
  int64_t channels = 0;
  TokenKind kind = TokenKind::kClass;
  void run(const Pass& pass) const noexcept override;
};

/// One vector an image from its rows of a kind, or from all of them.
struct PoolStep : Step {
  const KernelTable* kernels = nullptr;
  BufferRef x, y;
  int64_t channels = 0;
  std::optional<TokenKind> kind;
};

/// y[image] = the mean over the rows, in their order; zeros when there is none.
struct MeanRowsStep final : PoolStep {
  void run(const Pass& pass) const noexcept override;
};

/// y[image] = the greatest value of each channel over the rows; zeros when there is none.
struct MaxRowsStep final : PoolStep {
  void run(const Pass& pass) const noexcept override;
};

/// Copies what it runs over into a result of the whole batch: [B, C] for images, [all rows, C] for rows; rows adjacent.
struct ExportStep final : Step {
  BufferRef x, result;
  int64_t channels = 0;
  void run(const Pass& pass) const noexcept override;
};

}  // namespace vit
