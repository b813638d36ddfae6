// SPDX-License-Identifier: Apache-2.0
#include "ops/linear.h"

#include "ops/operands.h"
#include "ops/panel.h"

namespace vit {

namespace {

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

void LinearStep::run_tiles(const Pass& pass, int64_t begin, int64_t end, int64_t first_panel, int64_t last_panel) const {
  for (int64_t p = first_panel; p < last_panel; ++p) {
    const int64_t column = p * weights->panel;
    multiply_panel(*kernels, *weights, p,
                   {.x = pass.row(x, begin),
                    .x_stride = x.stride,
                    .bias = weights->bias.data() + column,
                    .gamma = gamma ? gamma->data() + column : nullptr,
                    .y = pass.row(y, begin) + column,
                    .y_stride = y.stride,
                    .store = store,
                    .activation = activation},
                   end - begin, 0, end - begin);
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
