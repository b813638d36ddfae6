// SPDX-License-Identifier: Apache-2.0
// y = x Wᵀ + b and what may be fused behind it.
#pragma once

#include <memory>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

struct LinearStep final : Step {
  std::shared_ptr<const PackedLinear> weights;
  const KernelTable* kernels = nullptr;
  BufferRef x;  ///< operands of the weights' precision
  BufferRef y;
  TileStore store = TileStore::kWrite;
  Precision result = Precision::kF32;          ///< kBF16: y's rows are operands of bfloat16; of narrow weights, with kWrite
  Activation activation = Activation::kNone;   ///< of the finished y
  std::shared_ptr<const Buffer<float>> gamma;  ///< for kScaleAdd, padded to panels

  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;

 private:
  /// Rows [begin, end), panels [first, last).
  void run_tiles(const Pass& pass, int64_t begin, int64_t end, int64_t first, int64_t last) const;
  void run_product(const Pass& pass, int64_t begin, int64_t end, int64_t first, int64_t last) const;
};

}  // namespace vit
