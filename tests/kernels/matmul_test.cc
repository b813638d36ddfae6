// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>

#include "ops/panel.h"
#include "tests/emulated/tables.h"
#include "tests/kernels/checks.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// One tile at awkward strides against double precision.
void check_tile(const KernelTable& kernels, int rows, int columns, int64_t k, TileStore store, bool bias) {
  CAPTURE(rows, columns, k, static_cast<int>(store), bias);
  Random random(static_cast<uint64_t>(rows * 1000 + columns + k));
  const int panel = kernels.panel_columns;
  const int64_t x_stride = k + 3, y_stride = panel + 5;
  Guarded<float> x(random.normals(rows * x_stride), 1), w(random.normals(k * panel), 3);
  Guarded<float> b(random.normals(panel)), gamma(random.normals(panel));
  const std::vector<float> before = random.normals((rows - 1) * y_stride + columns);
  Guarded<float> y(before, 1);

  kernels.matmul_tile({.x = x.data(),
                       .x_stride = x_stride,
                       .panel = w.data(),
                       .bias = bias ? b.data() : nullptr,
                       .gamma = gamma.data(),
                       .y = y.data(),
                       .y_stride = y_stride,
                       .k = k,
                       .rows = rows,
                       .columns = columns,
                       .store = store});

  CHECK(y.guards_intact());
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t r = i / y_stride, c = i % y_stride, at = i;
    const double old = before[static_cast<size_t>(at)];
    if (c >= columns) {
      CHECK(y[at] == before[static_cast<size_t>(at)]);  // between the rows nothing is written
      continue;
    }
    double sum = bias ? b[c] : 0, size = std::fabs(sum);
    for (int64_t p = 0; p < k; ++p) {
      const double term = double{x[r * x_stride + p]} * w[p * panel + c];
      sum += term, size += std::fabs(term);
    }
    const double factor = store == TileStore::kScaleAdd ? gamma[c] : 1;
    const double expected = store == TileStore::kWrite ? sum : old + factor * sum;
    // k products and sums, each rounded once or twice (without FMA), in any order: at most (2k + 4) roundings of the sum of the
    // terms' sizes (Higham 2002, section 3.1); the store adds two more of what it adds to.
    const double bound =
        kEpsilon * (static_cast<double>(2 * k + 4) * size * std::fabs(factor) + 2 * std::fabs(old) + 2 * std::fabs(expected));
    CHECK_NEAR(y[at], expected, bound);
  }
}

}  // namespace

void check_matmul_tile(const KernelTable& kernels) {
  const int panel = kernels.panel_columns;
  for (int rows = 1; rows <= kernels.tile_rows; ++rows)
    for (const int columns : {1, kernels.lanes - 1, kernels.lanes, kernels.lanes + 1, panel - 1, panel})
      for (const TileStore store : {TileStore::kWrite, TileStore::kAdd, TileStore::kScaleAdd}) {
        check_tile(kernels, rows, columns, 37, store, true);
        check_tile(kernels, rows, columns, 1, store, false);
      }
  check_tile(kernels, kernels.tile_rows, panel, 3072, TileStore::kWrite, true);
}

TEST_CASE("a row of a tile has the same bits whatever rows stand beside it", "[kernels]") {
  for (const TestedSet& set : tested_sets()) {
    const KernelTable& k = *set.kernels;
    CAPTURE(k.isa);
    Random random(5);
    const int64_t depth = 301, panel = k.panel_columns;
    const auto x = random.normals(k.tile_rows * depth), w = random.normals(depth * panel);
    std::vector<float> all(static_cast<size_t>(k.tile_rows * panel)), one(static_cast<size_t>(panel));
    MatmulTile tile{.x = x.data(),
                    .x_stride = depth,
                    .panel = w.data(),
                    .y = all.data(),
                    .y_stride = panel,
                    .k = depth,
                    .rows = k.tile_rows,
                    .columns = k.panel_columns};
    k.matmul_tile(tile);
    for (int r = 0; r < k.tile_rows; ++r)
      for (int columns = 1; columns <= k.panel_columns; ++columns) {
        MatmulTile single = tile;
        single.x += r * depth, single.y = one.data(), single.rows = 1, single.columns = columns;
        k.matmul_tile(single);
        CHECK(std::memcmp(one.data(), all.data() + r * panel, static_cast<size_t>(columns) * sizeof(float)) == 0);
      }
  }
}

TEST_CASE("a panel's results have the same bits whatever parts its sums are made in", "[kernels]") {
  const int64_t rows = 300, depth = 50;
  for (const TestedSet& set : tested_sets()) {
    KernelTable k = *set.kernels;
    Random random(7);
    const int64_t out = k.panel_columns + k.lanes + 1;
    const auto weights = random.normals(out * depth), x = random.normals(rows * depth), before = random.normals(rows * out);
    const PackedLinear w = pack_linear(
        Precision::kF32, depth, out, k.panel_columns,
        [&](int64_t first, int64_t count, float* to) { std::copy_n(weights.data() + first * depth, count * depth, to); }, {});
    const auto bias = random.normals(2 * k.panel_columns), gamma = random.normals(2 * k.panel_columns);
    for (const TileStore store : {TileStore::kWrite, TileStore::kAdd, TileStore::kScaleAdd}) {
      std::vector<float> whole;
      for (const int depth_block : {50, 16, 7}) {
        CAPTURE(k.isa, static_cast<int>(store), depth_block);
        k.depth_block = depth_block;
        std::vector<float> y = before;
        for (int64_t p = 0; p < w.panels(); ++p)
          multiply_panel(k, w, p,
                         {.x = x.data(),
                          .x_stride = depth,
                          .bias = bias.data() + p * w.panel,
                          .gamma = gamma.data() + p * w.panel,
                          .y = y.data() + p * w.panel,
                          .y_stride = out,
                          .store = store,
                          .activation = store == TileStore::kWrite ? Activation::kGelu : Activation::kNone},
                         rows, 0, rows);
        if (whole.empty()) whole = y;
        CHECK(std::memcmp(y.data(), whole.data(), y.size() * sizeof(float)) == 0);
        CHECK(y != before);
      }
    }
  }
}

TEST_CASE("a tile's activation is that of rows, bit by bit", "[kernels]") {
  for (const TestedSet& set : tested_sets()) {
    const KernelTable& k = *set.kernels;
    Random random(6);
    const int64_t depth = 40, panel = k.panel_columns;
    const auto x = random.normals(k.tile_rows * depth), w = random.normals(depth * panel), gamma = random.normals(panel),
               before = random.normals(k.tile_rows * panel);
    for (const Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu})
      for (const TileStore store : {TileStore::kWrite, TileStore::kAdd, TileStore::kScaleAdd})
        for (int rows = 1; rows <= k.tile_rows; ++rows)
          for (const int columns : {1, k.lanes + 1, k.panel_columns - 1, k.panel_columns}) {
            CAPTURE(k.isa, static_cast<int>(activation), static_cast<int>(store), rows, columns);
            std::vector<float> found = before, expected = before;
            MatmulTile tile{.x = x.data(),
                            .x_stride = depth,
                            .panel = w.data(),
                            .gamma = gamma.data(),
                            .y = found.data(),
                            .y_stride = panel,
                            .k = depth,
                            .rows = rows,
                            .columns = columns,
                            .store = store,
                            .activation = activation};
            k.matmul_tile(tile);
            tile.y = expected.data(), tile.activation = Activation::kNone;
            k.matmul_tile(tile);
            for (int r = 0; r < rows; ++r) {
              float* row = expected.data() + r * panel;
              k.activation_row(row, activation, columns, row);
            }
            CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
          }
  }
}

}  // namespace vit
