// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.h"

namespace vit {

// A panel's weights stay in the level-2 cache while all rows pass; each tile brings its part of the next panel there.
void LinearStep::run(const Pass& pass) const noexcept {
  const PackedLinear& w = *weights;
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t p = 0; p < w.panels(); ++p) {
      const int64_t column = p * w.panel;
      const int columns = static_cast<int>(std::min(w.panel, w.out - column));
      for_tiles(begin, end, kernels->tile_rows, [&](int64_t row, int64_t rows) {
        const NextPanel next(w, p, row - begin, rows, end - begin);
        kernels->matmul_tile({.x = pass.row(x, row),
                              .x_stride = x.stride,
                              .panel = w.panel_at(p),
                              .bias = w.bias.data() + column,
                              .gamma = gamma ? gamma->data() + column : nullptr,
                              .y = pass.row(y, row) + y_column + column,
                              .y_stride = y.stride,
                              .k = w.in,
                              .rows = static_cast<int>(rows),
                              .columns = columns,
                              .store = store,
                              .activation = activation,
                              .prefetch = next.from,
                              .prefetch_lines = next.lines});
      });
    }
  });
}

double LinearStep::operations(const Pass& pass) const noexcept {
  double rows = 0;
  pass.for_each(work, [&](int, int64_t begin, int64_t end) { rows += static_cast<double>(end - begin); });
  return 2.0 * rows * static_cast<double>(weights->in) * static_cast<double>(weights->out);
}

}  // namespace vit
