// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.h"

#include <cmath>

#include "ops/heads.h"

namespace vit {
namespace {

double rows_of(const Pass& pass, const Work& work) {
  double rows = 0;
  pass.for_each(work, [&](int, int64_t begin, int64_t end) { rows += static_cast<double>(end - begin); });
  return rows;
}

}  // namespace

void QkvStep::run(const Pass& pass) const noexcept {
  const PackedLinear& w = *weights;
  const int64_t channels = layout.channels();
  const auto project = [&](const Work& over, int64_t first, int64_t last) {
    pass.for_each(over, [&](int image, int64_t begin, int64_t end) {
      const HeadWriter writer(pass, *kernels, layout, heads, over.stage, image);
      for (int64_t p = first; p < last; ++p) {
        const int64_t column = p * w.panel, columns = std::min(w.panel, w.out - column);
        // A panel inside the queries, or one that is a panel of the values, is written by the tile itself.
        const bool queries = column + columns <= channels;
        const int64_t value = column - 2 * channels, dim = value % layout.head_dim;
        const bool values = value >= 0 && dim % w.panel == 0 && dim + columns <= layout.head_dim;
        for_tiles(begin, end, kernels->tile_rows, [&](int64_t row, int64_t rows) {
          float* y = pass.scratch;
          int64_t y_stride = kernels->panel_columns;
          if (queries) y = pass.row(heads.q, row) + column, y_stride = heads.q.stride;
          const Upcoming next(w, w.panel_at(p), w.panel_floats(), row - begin, rows, end - begin);
          if (values) y = writer.value_at(row, value / layout.head_dim, dim);
          kernels->matmul_tile({.x = pass.row(x, row),
                                .x_stride = x.stride,
                                .panel = w.panel_at(p),
                                .bias = w.bias.data() + column,
                                .y = y,
                                .y_stride = y_stride,
                                .k = w.in,
                                .rows = static_cast<int>(rows),
                                .columns = static_cast<int>(columns),
                                .prefetch = next.from,
                                .prefetch_lines = next.lines});
          if (!queries && !values) writer.write(y, y_stride, row, rows, column, columns);
        });
      }
    });
  };
  // Panels of queries alone only for the rows that ask; a panel that queries and keys share is for all.
  const int64_t query_panels = channels / w.panel;
  project(query_work, 0, query_panels);
  project(work, query_panels, w.panels());
}

double QkvStep::operations(const Pass& pass) const noexcept {
  const double each = 2.0 * static_cast<double>(weights->in) * static_cast<double>(layout.channels());
  return each * (rows_of(pass, query_work) + 2 * rows_of(pass, work));
}

void PackHeadsStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const HeadWriter writer(pass, *kernels, layout, heads, work.stage, image);
    writer.write(pass.row(x, begin), x.stride, begin, end - begin, 0, 3 * layout.channels());
  });
}

void AttentionStep::run(const Pass& pass) const noexcept {
  const int64_t panel = layout.panel, dim = layout.head_dim;
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const ImageRows& rows = pass.rows[work.stage][image];
    const int64_t padded = layout.padded_rows(rows.count), stride = score_stride(rows.count);
    const HeadWriter at(pass, *kernels, layout, heads, work.stage, image);
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
        float inverse[64];
        for (int64_t i = 0; i < count; ++i)
          inverse[i] = 1.0f / kernels->softmax_row(scores + i * stride, scale, rows.count, scores + i * stride);
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
  });
}

double AttentionStep::operations(const Pass& pass) const noexcept {
  double products = 0;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    products += static_cast<double>(end - begin) * static_cast<double>(pass.rows[work.stage][image].count);
  });
  return 4.0 * products * static_cast<double>(layout.channels());
}

}  // namespace vit
