// SPDX-License-Identifier: Apache-2.0
// Where a column of [q | k | v] goes in the layout of attention.h.
#pragma once

#include <cstring>

#include "ops/attention.h"

namespace vit {

/// Writes `rows` rows of columns [column, column + columns) of [q | k | v] to their places. `from` points at the first of them.
class HeadWriter {
 public:
  HeadWriter(const Pass& pass, const KernelTable& kernels, const HeadLayout& layout, const HeadBuffers& heads, int stage,
             int image)
      : pass_(pass), kernels_(kernels), layout_(layout), heads_(heads), rows_(pass.rows[stage][image]) {}

  /// Columns that lie within one head of one part, starting at `column`.
  int64_t run_of(int64_t column, int64_t columns) const {
    const int64_t in_head = column % layout_.head_dim;
    return std::min(columns, layout_.head_dim - in_head);
  }

  /// Where row `row` of this value column stands; rows follow each other by a panel.
  float* value_at(int64_t row, int64_t head, int64_t dim) const {
    const int64_t padded = layout_.padded_rows(rows_.count), at = row - rows_.begin;
    return pass_.buffers[heads_.values] + rows_.key_begin * layout_.value_floats() +
           ((head * (layout_.padded_dim() / layout_.panel) + dim / layout_.panel) * padded + at) * layout_.panel +
           dim % layout_.panel;
  }

  /// Where the keys of a head begin for the panel that `row` stands in.
  float* key_at(int64_t row, int64_t head, int64_t dim) const {
    const int64_t padded = layout_.padded_rows(rows_.count), at = row - rows_.begin;
    return pass_.buffers[heads_.keys] + rows_.key_begin * layout_.key_floats() + head * padded * layout_.head_dim +
           at / layout_.panel * layout_.head_dim * layout_.panel + dim * layout_.panel + at % layout_.panel;
  }

  void write(const float* from, int64_t from_stride, int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    while (columns > 0) {
      const int64_t n = run_of(column, columns), part = column / layout_.channels(), in_part = column % layout_.channels();
      if (part == 0) copy(from, from_stride, rows, n, pass_.row(heads_.q, row) + in_part, heads_.q.stride);
      if (part == 1) write_keys(from, from_stride, row, rows, in_part, n);
      if (part == 2) write_values(from, from_stride, row, rows, in_part, n);
      from += n, column += n, columns -= n;
    }
  }

 private:
  static void copy(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, static_cast<size_t>(columns) * sizeof(float));
  }
  void write_keys(const float* from, int64_t from_stride, int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    const int64_t head = column / layout_.head_dim, dim = column % layout_.head_dim;
    while (rows > 0) {
      const int64_t n = std::min(rows, layout_.panel - (row - rows_.begin) % layout_.panel);
      kernels_.transpose_block(from, from_stride, n, columns, key_at(row, head, dim), layout_.panel);
      from += n * from_stride, row += n, rows -= n;
    }
  }
  void write_values(const float* from, int64_t from_stride, int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    const int64_t head = column / layout_.head_dim, dim = column % layout_.head_dim;
    for (int64_t done = 0; done < columns;) {
      const int64_t n = std::min(columns - done, layout_.panel - (dim + done) % layout_.panel);
      copy(from + done, from_stride, rows, n, value_at(row, head, dim + done), layout_.panel);
      done += n;
    }
  }

  const Pass& pass_;
  const KernelTable& kernels_;
  const HeadLayout& layout_;
  const HeadBuffers& heads_;
  const ImageRows& rows_;
};

}  // namespace vit
