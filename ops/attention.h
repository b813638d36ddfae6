// SPDX-License-Identifier: Apache-2.0
// Multi-head self-attention in two steps with a barrier between them: heads written where attention reads them, then attention.
#pragma once

#include <memory>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

/// Keys and values lie like packed weights, so that both products of attention use the matrix tiles. Per image, with T rows
/// padded to whole panels of P columns, D channels a head and D' = D padded to whole panels; float32:
///   queries [row][heads][D]
///   keys    [heads][T / P][D][P]      scores = q K, a panel of P keys at a time
///   values  [heads][D' / P][T][P]     out = softmax(scores) V, a panel of P channels at a time
/// bfloat16, two numbers a step (quant/precision.h), what pads a head or an image's last steps is zero:
///   queries [row][heads][steps of D][2]
///   keys    [heads][T / P][steps of D][P][2]
///   values  [heads][D' / P][T / 2][P][2]
struct HeadLayout {
  int64_t heads = 0, head_dim = 0, panel = 0;
  Precision precision = Precision::kF32;  ///< or kBF16

  int64_t channels() const { return heads * head_dim; }
  int64_t padded_dim() const { return round_up(head_dim, panel); }
  int64_t head_steps() const { return operand_steps(precision, head_dim); }
  int64_t key_floats() const { return heads * head_steps(); }  ///< for each padded row; of a row of queries too
  int64_t value_floats() const { return heads * padded_dim() / (precision == Precision::kF32 ? 1 : 2); }  ///< for each padded row
  int64_t padded_rows(int64_t rows) const { return round_up(rows, panel); }
};

/// Buffers of one attention. A step of block b uses the key and value buffers of parity b mod 2, so that a fast thread never
/// overwrites what a slow one still reads.
struct HeadBuffers {
  BufferRef q;
  int keys = -1, values = -1;  ///< buffer ids
};

/// Rows that are projected into scratch at a time before they are put where they belong.
constexpr int64_t kHeadBlockRows = 128;

/// q, k, v = x Wᵀ + b, written into the layout above. Rows outside `query_work` get keys and values only.
struct QkvStep final : Step {
  std::shared_ptr<const PackedLinear> weights;  ///< out = 3C
  const KernelTable* kernels = nullptr;
  HeadLayout layout;
  HeadBuffers heads;
  BufferRef x;
  Work query_work;

  int64_t scratch_floats(int64_t) const override { return kHeadBlockRows * kernels->panel_columns; }
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;

 private:
  template <class Writer>
  void project(const Pass& pass, const Work& over, int64_t first, int64_t last) const;
};

/// The same from a finished [rows, 3C] value.
struct PackHeadsStep final : Step {
  const KernelTable* kernels = nullptr;
  HeadLayout layout;
  HeadBuffers heads;
  BufferRef x;

  int64_t scratch_floats(int64_t) const override {
    return layout.precision == Precision::kF32 ? 0 : kHeadBlockRows * operand_steps(layout.precision, 3 * layout.channels());
  }
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
  int64_t probability_stride(int64_t rows) const { return row_stride(operand_steps(layout.precision, rows)); }
  int64_t scratch_floats(int64_t max_rows) const override {
    if (layout.precision == Precision::kF32) return kernels->tile_rows * score_stride(max_rows);
    const int64_t row = row_floats(max_rows);
    return std::min(kernels->attention_rows * row, std::max(kNearFloats, kLeastRows * row));
  }
  /// In bfloat16, of an image of `rows` rows: so many that scores and probabilities stay in the second-level cache, or a tile of
  /// AMX.
  int64_t rows_at_a_time(int64_t rows) const {
    return std::min<int64_t>(kernels->attention_rows, std::max(kLeastRows, kNearFloats / row_floats(rows)));
  }
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;

 private:
  static constexpr int64_t kNearFloats = 96 * 1024, kLeastRows = 32;
  int64_t row_floats(int64_t rows) const { return score_stride(rows) + probability_stride(rows); }
  void attend_f32(const Pass& pass, int image, int64_t begin, int64_t end) const;
  void attend_bf16(const Pass& pass, int image, int64_t begin, int64_t end) const;
};

}  // namespace vit
