// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "ops/core/memory.h"
#include "ops/kernel_table.h"
#include "ops/step.h"

namespace vit {

/// y[image] = softmax(q Kᵀ / sqrt(D)) V, head by head, with one query for all images (Lee et al. 2019, section 3.2, with one
/// seed) over the rows of a kind or over all of them.
struct AttentionPoolStep final : Step {
  const KernelTable* kernels = nullptr;
  BufferRef kv;  ///< [rows, 2C]: keys, values
  BufferRef y;
  int64_t heads = 0, head_dim = 0;
  std::optional<TokenKind> kind;
  std::shared_ptr<const Buffer<float>> query;  ///< [C]

  int64_t scratch_floats(int64_t max_rows) const override { return max_rows; }
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;
};

}  // namespace vit
