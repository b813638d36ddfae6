// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.h"

#include "ops/operands.h"

namespace vit {

namespace {

/// A longer sum of float32 is cut here, so that a tile's weights and rows both stay in the nearer caches while the rows pass.
constexpr int64_t kDepthBlock = 384;

ProductStore product_store(TileStore store) {
  switch (store) {
    case TileStore::kWrite: return ProductStore::kWrite;
    case TileStore::kAdd: return ProductStore::kAdd;
    default: return ProductStore::kScaleAdd;
  }
}

}  // namespace

void LinearStep::run(const Pass& pass) const noexcept {
  const int64_t first = pass.share(work, weights->panels()), last = pass.share(work, weights->panels(), 1);
  if (first == last) return;
  pass.together(work).for_each(work, [&](int, int64_t begin, int64_t end) {
    weights->precision == Precision::kF32 ? run_tiles(pass, begin, end, first, last) : run_product(pass, begin, end, first, last);
  });
}

// A block of a panel's weights stays in the cache while all rows pass; each tile brings its part of the next block there.
void LinearStep::run_tiles(const Pass& pass, int64_t begin, int64_t end, int64_t first_panel, int64_t last_panel) const {
  const PackedLinear& w = *weights;
  for (int64_t p = first_panel; p < last_panel; ++p) {
    const int64_t column = p * w.panel;
    for_tiles(0, w.in, kDepthBlock, [&](int64_t k, int64_t depth) {
      const bool first = k == 0, last = k + depth == w.in;
      MatmulTile tile{.x_stride = x.stride,
                      .panel = w.panel_at(p) + k * w.panel,
                      .bias = first ? w.bias.data() + column : nullptr,
                      .gamma = gamma ? gamma->data() + column : nullptr,
                      .y_stride = y.stride,
                      .k = depth,
                      .columns = static_cast<int>(std::min(w.panel, w.out - column)),
                      .store = first || store != TileStore::kWrite ? store : TileStore::kAdd,
                      .activation = last ? activation : Activation::kNone};
      for_tiles(begin, end, kernels->tile_rows, [&](int64_t row, int64_t rows) {
        const Upcoming next(w, tile.panel, depth * w.panel * 4, row - begin, rows, end - begin);
        tile.x = pass.row(x, row) + k;
        tile.y = pass.row(y, row) + column;
        tile.rows = static_cast<int>(rows);
        tile.prefetch = next.from, tile.prefetch_lines = next.lines;
        kernels->matmul_tile(tile);
      });
    });
  }
}

void LinearStep::run_product(const Pass& pass, int64_t begin, int64_t end, int64_t first, int64_t last) const {
  const int64_t column = first * weights->panel;
  Product product = product_with(*weights, column, std::min(last * weights->panel, weights->out) - column);
  product.x = pass.row(x, begin), product.x_stride = x.stride * 4;
  const bool narrow = result == Precision::kBF16;
  if (narrow)
    product.y = reinterpret_cast<uint16_t*>(pass.row(y, begin)) + column, product.y_stride = 2 * y.stride;
  else
    product.y = pass.row(y, begin) + column, product.y_stride = y.stride;
  product.rows = end - begin;
  product.gamma = gamma ? gamma->data() + column : nullptr;
  product.store = narrow ? ProductStore::kBF16 : product_store(store);
  product.activation = activation;
  multiply(*kernels, weights->precision, product);
}

double LinearStep::operations(const Pass& pass) const noexcept {
  double rows = 0;
  pass.together(work).for_each(work, [&](int, int64_t begin, int64_t end) { rows += static_cast<double>(end - begin); });
  return 2.0 * rows * static_cast<double>(weights->in) * static_cast<double>(weights->out) / pass.sharing(work);
}

}  // namespace vit
