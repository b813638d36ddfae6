// SPDX-License-Identifier: Apache-2.0
// Rows of float32 against a panel of weights.
#pragma once

#include <cassert>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

/// The columns of panel `p` of y (+)= x W + bias for `rows` rows. `tile` says where x and y are and what becomes of the sums,
/// with bias and gamma of the panel's columns; the rest is filled in. A long sum is made in parts, so that a block of the panel's
/// weights stays in the cache while rows pass; its bits are those of one part. They are rows [done, done + rows) of the `all`
/// that pass this panel: each tile brings its part of the next weights nearer.
inline void multiply_panel(const KernelTable& kernels, const PackedLinear& w, int64_t p, MatmulTile tile, int64_t rows,
                           int64_t done, int64_t all) {
  constexpr int64_t kMostRows = 256, kMostColumns = 64;
  alignas(64) float sums[kMostRows * kMostColumns];
  assert(w.panel <= kMostColumns);
  const MatmulTile whole = tile;
  const int64_t columns = std::min(w.panel, w.out - p * w.panel);
  for_tiles(0, rows, kMostRows, [&](int64_t from, int64_t some) {
    for_tiles(0, w.in, kernels.depth_block, [&](int64_t k, int64_t depth) {
      const bool first = k == 0, last = k + depth == w.in;
      tile.panel = w.panel_at(p) + k * w.panel;
      tile.k = depth;
      tile.columns = static_cast<int>(last ? columns : round_up(columns, kernels.lanes));
      tile.y_stride = last ? whole.y_stride : w.panel;
      tile.store = last ? whole.store : TileStore::kWrite;
      tile.activation = last ? whole.activation : Activation::kNone;
      for_tiles(0, some, kernels.tile_rows, [&](int64_t row, int64_t count) {
        const Upcoming next(w, tile.panel, depth * w.panel * 4, done + from + row, count, all);
        tile.x = whole.x + (from + row) * whole.x_stride + k;
        tile.sums = first ? nullptr : sums + row * w.panel;
        tile.y = last ? whole.y + (from + row) * whole.y_stride : sums + row * w.panel;
        tile.rows = static_cast<int>(count);
        tile.prefetch = next.from, tile.prefetch_lines = next.lines;
        kernels.matmul_tile(tile);
      });
    });
  });
}

}  // namespace vit
