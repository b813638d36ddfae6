// SPDX-License-Identifier: Apache-2.0
// Where a column of [q | k | v] goes in the layouts of attention.h.
#pragma once

#include <cstring>

#include "ops/attention.h"

namespace vit {

/// What both layouts share. A `Writer` puts runs of columns, which lie within one head of one part, into its layout.
template <class Writer, class N>
class HeadsOfImage {
 public:
  using Number = N;
  HeadsOfImage(const Pass& pass, const KernelTable& kernels, const HeadLayout& layout, const HeadBuffers& heads, int stage,
               int image)
      : pass_(pass), kernels_(kernels), layout_(layout), heads_(heads), rows_(pass.rows[stage][image]) {}

  /// Puts `rows` rows of columns [column, column + columns) of [q | k | v], which begin at `from`, where they belong.
  void write(const Number* from, int64_t stride, int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    const auto& writer = static_cast<const Writer&>(*this);
    for (int64_t done = 0; done < columns;) {
      const int64_t at = column + done, part = at / layout_.channels();
      const int64_t head = at % layout_.channels() / layout_.head_dim, dim = at % layout_.head_dim;
      const int64_t n = std::min(columns - done, layout_.head_dim - dim);
      if (part == 0) writer.write_queries(from + done, stride, row, rows, head, dim, n);
      if (part == 1) writer.write_keys(from + done, stride, row, rows, head, dim, n);
      if (part == 2) writer.write_values(from + done, stride, row, rows, head, dim, n);
      done += n;
    }
  }

 protected:
  /// Floats from the beginning of the value or the key buffer to the panel in which a number stands.
  int64_t value_panel(int64_t head, int64_t dim) const {
    const int64_t rows = layout_.padded_rows(rows_.count), steps = layout_.precision == Precision::kF32 ? rows : rows / 2;
    return rows_.key_begin * layout_.value_floats() + (head * layout_.padded_dim() + dim / layout_.panel * layout_.panel) * steps;
  }
  int64_t key_panel(int64_t at, int64_t head) const {
    return rows_.key_begin * layout_.key_floats() +
           (head * layout_.padded_rows(rows_.count) + at / layout_.panel * layout_.panel) * layout_.head_steps();
  }
  static void copy(const Number* from, int64_t from_stride, int64_t rows, int64_t columns, Number* to, int64_t to_stride) {
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, static_cast<size_t>(columns) * sizeof(Number));
  }

  const Pass& pass_;
  const KernelTable& kernels_;
  const HeadLayout& layout_;
  const HeadBuffers& heads_;
  const ImageRows& rows_;
};

/// A place where rows of a panel lie `stride` numbers apart; null when they do not.
template <class Number>
struct PanelPlace {
  Number* at = nullptr;
  int64_t stride = 0;
};

class F32Heads : public HeadsOfImage<F32Heads, float> {
 public:
  static constexpr ProductStore kStore = ProductStore::kWrite;
  using HeadsOfImage::HeadsOfImage;

  /// Where row `row` of this value column stands; rows follow each other by a panel.
  float* value_at(int64_t row, int64_t head, int64_t dim) const {
    return pass_.buffers[heads_.values] + value_panel(head, dim) + (row - rows_.begin) * layout_.panel + dim % layout_.panel;
  }
  float* key_at(int64_t row, int64_t head, int64_t dim) const {
    const int64_t at = row - rows_.begin;
    return pass_.buffers[heads_.keys] + key_panel(at, head) + dim * layout_.panel + at % layout_.panel;
  }

  /// A panel inside the queries, or one that is a panel of the values.
  PanelPlace<float> place_of(int64_t row, int64_t column, int64_t columns) const {
    const int64_t channels = layout_.channels(), value = column - 2 * channels, dim = value % layout_.head_dim;
    if (column + columns <= channels) return {pass_.row(heads_.q, row) + column, heads_.q.stride};
    if (value >= 0 && dim % layout_.panel == 0 && dim + columns <= layout_.head_dim)
      return {value_at(row, value / layout_.head_dim, dim), layout_.panel};
    return {};
  }

 private:
  friend class HeadsOfImage<F32Heads, float>;
  void write_queries(const float* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim, int64_t n) const {
    copy(from, stride, rows, n, pass_.row(heads_.q, row) + head * layout_.head_dim + dim, heads_.q.stride);
  }
  void write_keys(const float* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim,
                  int64_t columns) const {
    while (rows > 0) {
      const int64_t n = std::min(rows, layout_.panel - (row - rows_.begin) % layout_.panel);
      kernels_.transpose_block(from, stride, n, columns, key_at(row, head, dim), layout_.panel);
      from += n * stride, row += n, rows -= n;
    }
  }
  void write_values(const float* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim,
                    int64_t columns) const {
    for (int64_t done = 0; done < columns;) {
      const int64_t n = std::min(columns - done, layout_.panel - (dim + done) % layout_.panel);
      copy(from + done, stride, rows, n, value_at(row, head, dim + done), layout_.panel);
      done += n;
    }
  }
};

class BF16Heads : public HeadsOfImage<BF16Heads, uint16_t> {
 public:
  static constexpr ProductStore kStore = ProductStore::kBF16;
  using HeadsOfImage::HeadsOfImage;

  uint16_t* query_at(int64_t row, int64_t head, int64_t dim) const {
    return reinterpret_cast<uint16_t*>(pass_.row(heads_.q, row) + head * layout_.head_steps()) + dim;
  }
  /// Where number `dim` of a head stands for the key `row`.
  uint16_t* key_at(int64_t row, int64_t head, int64_t dim) const {
    const int64_t at = row - rows_.begin;
    float* step = pass_.buffers[heads_.keys] + key_panel(at, head) + dim / 2 * layout_.panel + at % layout_.panel;
    return reinterpret_cast<uint16_t*>(step) + dim % 2;
  }
  uint16_t* value_at(int64_t row, int64_t head, int64_t dim) const {
    const int64_t at = row - rows_.begin;
    float* step = pass_.buffers[heads_.values] + value_panel(head, dim) + at / 2 * layout_.panel + dim % layout_.panel;
    return reinterpret_cast<uint16_t*>(step) + at % 2;
  }

  /// A panel inside the queries, where nothing stands between heads.
  PanelPlace<uint16_t> place_of(int64_t row, int64_t column, int64_t columns) const {
    if (column + columns > layout_.channels() || layout_.head_dim != 2 * layout_.head_steps()) return {};
    return {query_at(row, 0, column), heads_.q.stride * 2};
  }

 private:
  friend class HeadsOfImage<BF16Heads, uint16_t>;
  /// Numbers behind a head that only fill its last step of 64 bytes.
  int64_t padding() const { return 2 * layout_.head_steps() - layout_.head_dim; }
  bool ends_head(int64_t dim, int64_t columns) const { return dim + columns == layout_.head_dim && padding() > 0; }

  void write_queries(const uint16_t* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim,
                     int64_t n) const {
    copy(from, stride, rows, n, query_at(row, head, dim), heads_.q.stride * 2);
    if (!ends_head(dim, n)) return;
    for (int64_t i = 0; i < rows; ++i)
      std::memset(query_at(row + i, head, layout_.head_dim), 0, static_cast<size_t>(padding()) * sizeof(Number));
  }
  void write_keys(const uint16_t* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim, int64_t n) const {
    if (ends_head(dim, n))
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t d = layout_.head_dim; d < 2 * layout_.head_steps(); ++d) *key_at(row + i, head, d) = 0;
    if (dim % 2 != 0 || n % 2 != 0 || stride % 2 != 0) {
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t d = 0; d < n; ++d) *key_at(row + i, head, dim + d) = from[i * stride + d];
      return;
    }
    while (rows > 0) {  // a step, two numbers, moves like one float
      const int64_t count = std::min(rows, layout_.panel - (row - rows_.begin) % layout_.panel);
      kernels_.transpose_block(reinterpret_cast<const float*>(from), stride / 2, count, n / 2,
                               reinterpret_cast<float*>(key_at(row, head, dim)), layout_.panel);
      from += count * stride, row += count, rows -= count;
    }
  }
  void write_values(const uint16_t* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim, int64_t n) const {
    const bool last = row + rows == rows_.begin + rows_.count;
    for (int64_t done = 0; done < n;) {
      const int64_t d = dim + done, columns = std::min(n - done, layout_.panel - d % layout_.panel);
      write_value_rows(from + done, stride, row, rows, head, d, columns);
      if (last) clear_values(row + rows, head, d, columns);
      done += columns;
    }
  }
  /// Steps hold two rows. One that this thread has only half of is written by halves: the other half may be another thread's.
  void write_value_rows(const uint16_t* from, int64_t stride, int64_t row, int64_t rows, int64_t head, int64_t dim,
                        int64_t n) const {
    const auto half = [&](int64_t r) {
      uint16_t* to = value_at(r, head, dim);
      for (int64_t d = 0; d < n; ++d) to[2 * d] = from[(r - row) * stride + d];
    };
    int64_t r = row;
    const int64_t end = row + rows;
    if ((r - rows_.begin) % 2 != 0) half(r++);
    for (; r + 2 <= end; r += 2) {
      const uint16_t* even = from + (r - row) * stride;
      kernels_.interleave_rows(even, even + stride, n, value_at(r, head, dim));
    }
    if (r < end) half(r);
  }
  /// Rows behind the image's last one, up to a whole operand: they meet probabilities of zero, and zero times NaN is NaN.
  void clear_values(int64_t row, int64_t head, int64_t dim, int64_t n) const {
    const int64_t end = rows_.begin + 2 * operand_steps(Precision::kBF16, rows_.count);
    if ((row - rows_.begin) % 2 != 0) {
      uint16_t* to = value_at(row++, head, dim);
      for (int64_t d = 0; d < n; ++d) to[2 * d] = 0;
    }
    for (; row < end; row += 2) std::memset(value_at(row, head, dim), 0, static_cast<size_t>(2 * n) * sizeof(Number));
  }
};

/// Calls f with the writer of a layout's precision, as a type to name.
template <class T>
struct NamedType {
  using Type = T;
};
template <class F>
void with_writer(const HeadLayout& layout, F f) {
  if (layout.precision == Precision::kF32)
    f(NamedType<F32Heads>{});
  else
    f(NamedType<BF16Heads>{});
}

}  // namespace vit
