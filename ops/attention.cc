// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.h"

#include <cassert>
#include <cmath>

#include "ops/heads.h"
#include "ops/operands.h"
#include "ops/panel.h"

namespace vit {
namespace {

double rows_of(const Pass& pass, const Work& work) {
  double rows = 0;
  pass.together(work).for_each(work, [&](int, int64_t begin, int64_t end) { rows += static_cast<double>(end - begin); });
  return rows / pass.sharing(work);
}

constexpr int kMostRows = 128;  ///< that any kernel table takes at a time

float score_scale(int64_t head_dim) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }

}  // namespace

// Panels [first, last) of [q | k | v] for this thread's rows of `over`.
template <class Writer>
void QkvStep::project(const Pass& pass, const Work& over, int64_t first, int64_t last) const {
  using Number = typename Writer::Number;
  const PackedLinear& w = *weights;
  // As many columns at a time as a panel of float32 has, and in whole such pieces for a thread.
  const int64_t together = kernels->panel_columns / w.panel, pieces = ceil_div(w.panels(), together);
  first = std::max(first, pass.share(over, pieces) * together), last = std::min(last, pass.share(over, pieces, 1) * together);
  pass.together(over).for_each(over, [&](int image, int64_t begin, int64_t end) {
    const Writer writer(pass, *kernels, layout, heads, over.stage, image);
    for (int64_t p = first; p < last; p += together) {
      const int64_t column = p * w.panel, columns = std::min(std::min(together, last - p) * w.panel, w.out - column);
      const auto multiply_rows = [&](int64_t row, int64_t rows, Number* y, int64_t y_stride) {
        if (w.precision != Precision::kF32) {
          Product product = product_with(w, column, columns);
          product.x = pass.row(x, row), product.x_stride = x.stride * 4, product.rows = rows;
          product.y = y, product.y_stride = y_stride, product.store = Writer::kStore;
          product.more = p + together < last;
          return multiply(*kernels, w.precision, product);
        }
        if constexpr (Writer::kStore == ProductStore::kWrite)
          multiply_panel(
              *kernels, w, p,
              {.x = pass.row(x, row), .x_stride = x.stride, .bias = w.bias.data() + column, .y = y, .y_stride = y_stride}, rows,
              row - begin, end - begin);
      };
      // Where a panel lies together at its place, it is written there.
      if (const auto place = writer.place_of(begin, column, columns); place.at != nullptr) {
        multiply_rows(begin, end - begin, place.at, place.stride);
        continue;
      }
      for_tiles(begin, end, kHeadBlockRows, [&](int64_t row, int64_t rows) {
        auto* block = reinterpret_cast<Number*>(pass.scratch);
        multiply_rows(row, rows, block, kernels->panel_columns);
        writer.write(block, kernels->panel_columns, row, rows, column, columns);
      });
    }
  });
}

void QkvStep::run(const Pass& pass) const noexcept {
  // Panels of queries alone only for the rows that ask; a panel that queries and keys share is for all.
  const int64_t query_panels = layout.channels() / weights->panel;
  with_writer(layout, [&](auto writer) {
    using Writer = typename decltype(writer)::Type;
    project<Writer>(pass, query_work, 0, query_panels);
    project<Writer>(pass, work, query_panels, weights->panels());
  });
}

double QkvStep::operations(const Pass& pass) const noexcept {
  const double each = 2.0 * static_cast<double>(weights->in) * static_cast<double>(layout.channels());
  return each * (rows_of(pass, query_work) + 2 * rows_of(pass, work));
}

void PackHeadsStep::run(const Pass& pass) const noexcept {
  const int64_t channels = 3 * layout.channels();
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    if (layout.precision == Precision::kF32) {
      const F32Heads writer(pass, *kernels, layout, heads, work.stage, image);
      return writer.write(pass.row(x, begin), x.stride, begin, end - begin, 0, channels);
    }
    const BF16Heads writer(pass, *kernels, layout, heads, work.stage, image);
    auto* block = reinterpret_cast<uint16_t*>(pass.scratch);
    const int64_t stride = 2 * operand_steps(Precision::kBF16, channels);
    for_tiles(begin, end, kHeadBlockRows, [&](int64_t row, int64_t rows) {
      for (int64_t i = 0; i < rows; ++i) kernels->bf16_row(pass.row(x, row + i), channels, block + i * stride);
      writer.write(block, stride, row, rows, 0, channels);
    });
  });
}

void AttentionStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    layout.precision == Precision::kF32 ? attend_f32(pass, image, begin, end) : attend_bf16(pass, image, begin, end);
  });
}

void AttentionStep::attend_f32(const Pass& pass, int image, int64_t begin, int64_t end) const {
  const int64_t panel = layout.panel, dim = layout.head_dim;
  const float scale = score_scale(dim);
  const ImageRows& rows = pass.rows[work.stage][image];
  const int64_t padded = layout.padded_rows(rows.count), stride = score_stride(rows.count);
  const F32Heads at(pass, *kernels, layout, heads, work.stage, image);
  float* scores = pass.scratch;
  for (int64_t head = 0; head < layout.heads; ++head) {
    const float* keys = at.key_at(rows.begin, head, 0);
    const float* values = at.value_at(rows.begin, head, 0);
    for_tiles(begin, end, kernels->tile_rows, [&](int64_t row, int64_t count) {
      for (int64_t k = 0; k < rows.count; k += panel)
        kernels->matmul_tile({.x = pass.row(heads.q, row) + head * dim,
                              .x_stride = heads.q.stride,
                              .panel = keys + k * dim,
                              .y = scores + k,
                              .y_stride = stride,
                              .k = dim,
                              .rows = static_cast<int>(count),
                              .columns = static_cast<int>(std::min(panel, round_up(rows.count - k, kernels->lanes)))});
      float inverse[kMostRows];
      kernels->softmax_rows(scores, stride, count, scale, rows.count, scores, stride, inverse);
      for (int64_t i = 0; i < count; ++i) inverse[i] = 1.0f / inverse[i];
      float* out = pass.row(y, row) + head * dim;
      for (int64_t d = 0; d < dim; d += panel)
        kernels->matmul_tile({.x = scores,
                              .x_stride = stride,
                              .panel = values + d * padded,
                              .y = out + d,
                              .y_stride = y.stride,
                              .k = rows.count,
                              .rows = static_cast<int>(count),
                              .columns = static_cast<int>(std::min(panel, dim - d))});
      for (int64_t i = 0; i < count; ++i) kernels->multiply_row(out + i * y.stride, inverse[i], dim, out + i * y.stride);
    });
  }
}

void AttentionStep::attend_bf16(const Pass& pass, int image, int64_t begin, int64_t end) const {
  const int64_t dim = layout.head_dim, steps = layout.head_steps();
  const float scale = score_scale(dim);
  const ImageRows& rows = pass.rows[work.stage][image];
  const int64_t padded = layout.padded_rows(rows.count), stride = score_stride(rows.count);
  // Half a panel of two vectors takes as long as a whole one.
  const int64_t score_columns = layout.panel == 2 * kernels->lanes ? layout.panel : kernels->lanes;
  const int64_t narrow_stride = probability_stride(rows.count);
  const BF16Heads at(pass, *kernels, layout, heads, work.stage, image);
  float* scores = pass.scratch;
  const int64_t together = rows_at_a_time(rows.count);
  assert(together <= kMostRows);
  float* probabilities = scores + together * stride;
  for (int64_t head = 0; head < layout.heads; ++head) {
    const uint16_t* keys = at.key_at(rows.begin, head, 0);
    const uint16_t* values = at.value_at(rows.begin, head, 0);
    for_tiles(begin, end, together, [&](int64_t row, int64_t count) {
      Product product;
      product.rows = count;
      product.x = pass.row(heads.q, row) + head * steps, product.x_stride = heads.q.stride * 4;
      product.steps = steps, product.used_steps = ceil_div(dim, 2);
      product.panels = keys, product.columns = round_up(rows.count, score_columns);
      product.y = scores, product.y_stride = stride;
      kernels->multiply_bf16(product);
      float inverse[kMostRows];
      kernels->softmax_bf16_rows(scores, stride, count, scale, rows.count, reinterpret_cast<uint16_t*>(probabilities),
                                 2 * narrow_stride, inverse);
      for (int64_t i = 0; i < count; ++i) inverse[i] = 1.0f / inverse[i];
      product.x = probabilities, product.x_stride = narrow_stride * 4;
      product.steps = padded / 2, product.used_steps = ceil_div(rows.count, 2);
      product.panels = values, product.columns = dim;
      product.row_factor = inverse;
      product.y = pass.row(y, row) + head * dim, product.y_stride = y.stride;
      kernels->multiply_bf16(product);
    });
  }
}

double AttentionStep::operations(const Pass& pass) const noexcept {
  double products = 0;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    products += static_cast<double>(end - begin) * static_cast<double>(pass.rows[work.stage][image].count);
  });
  return 4.0 * products * static_cast<double>(layout.channels());
}

}  // namespace vit
