// SPDX-License-Identifier: Apache-2.0
// The matrix tile.
#include "benchmarks/cases.h"

namespace vit::bench {
namespace {

/// A whole tile at the depth of ViT-S.
Case matmul_tile(const KernelTable& kernels) {
  constexpr int64_t kDepth = 384;
  const int rows = kernels.tile_rows, columns = kernels.panel_columns;
  struct State {
    std::vector<float> x, panel, bias, y;
    MatmulTile tile;
  };
  auto s = std::make_shared<State>();
  s->x = numbers(rows * kDepth, 1), s->panel = numbers(kDepth * columns, 2), s->bias = numbers(columns, 3);
  s->y.resize(static_cast<size_t>(rows * columns));
  s->tile = {.x = s->x.data(),
             .x_stride = kDepth,
             .panel = s->panel.data(),
             .bias = s->bias.data(),
             .y = s->y.data(),
             .y_stride = columns,
             .k = kDepth,
             .rows = rows,
             .columns = columns};
  Case out;
  out.shape = std::to_string(rows) + " x " + std::to_string(kDepth) + " x " + std::to_string(columns);
  out.operations = 2.0 * rows * kDepth * columns;
  out.bytes = static_cast<double>(s->x.size() + s->panel.size() + s->bias.size() + s->y.size()) * sizeof(float);
  out.run = [s, run = kernels.matmul_tile] { run(s->tile); };
  out.right = [s, rows, columns] {
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) {
        double sum = s->bias[static_cast<size_t>(c)], size = std::fabs(sum);
        for (int64_t k = 0; k < kDepth; ++k) {
          const double term = static_cast<double>(s->tile.x[r * kDepth + k]) * s->tile.panel[k * columns + c];
          sum += term, size += std::fabs(term);
        }
        if (!near(s->tile.y[r * columns + c], sum, size)) return false;
      }
    return true;
  };
  return out;
}

}  // namespace

std::vector<NamedCase> matmul_cases() { return {{"matmul_tile", matmul_tile}}; }

}  // namespace vit::bench
