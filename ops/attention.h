// SPDX-License-Identifier: Apache-2.0
// Multi-head self-attention in two steps with a barrier between them: heads written where attention reads them, then attention.
#pragma once

#include <memory>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

/// Keys and values lie like packed weights, so that both products of attention use the matrix tile. Per image, with T rows padded
/// to whole panels of P columns, D channels a head and D' = D padded to whole panels:
///   keys   [heads][T / P][D][P]      scores = q K, a panel of P keys at a time
///   values [heads][D' / P][T][P]     out = softmax(scores) V, a panel of P channels at a time
struct HeadLayout {
  int64_t heads = 0, head_dim = 0, panel = 0;

  int64_t channels() const { return heads * head_dim; }
  int64_t padded_dim() const { return round_up(head_dim, panel); }
  int64_t key_floats() const { return channels(); }              ///< for each padded row
  int64_t value_floats() const { return heads * padded_dim(); }  ///< for each padded row
  int64_t padded_rows(int64_t rows) const { return round_up(rows, panel); }
};

/// Buffers of one attention. A step of block b uses the key and value buffers of parity b mod 2, so that a fast thread never
/// overwrites what a slow one still reads.
struct HeadBuffers {
  BufferRef q;                 ///< [rows, C]
  int keys = -1, values = -1;  ///< buffer ids
};

/// q, k, v = x Wᵀ + b, written into the layout above. Rows outside `query_work` get keys and values only.
struct QkvStep final : Step {
  std::shared_ptr<const PackedLinear> weights;  ///< out = 3C
  const KernelTable* kernels = nullptr;
  HeadLayout layout;
  HeadBuffers heads;
  BufferRef x;
  Work query_work;

  int64_t scratch_floats(int64_t) const override { return kernels->tile_rows * kernels->panel_columns; }
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;
};

/// The same from a finished [rows, 3C] value.
struct PackHeadsStep final : Step {
  const KernelTable* kernels = nullptr;
  HeadLayout layout;
  HeadBuffers heads;
  BufferRef x;

  void run(const Pass& pass) const noexcept override;
};

/// y = softmax(q Kᵀ / sqrt(D)) V for this thread's rows and every head (Vaswani et al. 2017, section 3.2).
///
/// Softmax in two passes over a whole row of scores at any number of tokens: memory is one tile of rows times the tokens, so it
/// grows linearly, and a row's bits do not depend on how the keys are cut.
struct AttentionStep final : Step {
  const KernelTable* kernels = nullptr;
  HeadLayout layout;
  HeadBuffers heads;
  BufferRef y;

  int64_t score_stride(int64_t rows) const { return row_stride(layout.padded_rows(rows)); }
  int64_t scratch_floats(int64_t max_rows) const override { return kernels->tile_rows * score_stride(max_rows); }
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;
};

}  // namespace vit
