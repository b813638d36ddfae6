// SPDX-License-Identifier: Apache-2.0
// What becomes of a tile's sums. They come through a small buffer in the first-level cache, where every tile leaves them in the
// same way: an epilogue in registers would be compiled once for every tile shape, kind of store and activation.
#pragma once

#include <type_traits>

#include "ops/kernels/activation-inl.h"
#include "ops/kernels/narrow-inl.h"

namespace vit {
namespace {

/// Where a tile stands in its product.
struct TilePlace {
  int64_t row = 0, column = 0;
  int rows = 0, columns = 0;  ///< columns: whole vectors; the product may end inside the last one
};

VIT_INLINE Vec float_of(const float* p) { return load(p); }
VIT_INLINE Vec float_of(const int32_t* p) {
#if defined(__AVX512F__)
  return Vec(_mm512_cvtepi32_ps(_mm512_loadu_si512(p)));
#elif defined(__AVX2__)
  return Vec(_mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
#else
  alignas(64) float lanes[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<float>(p[i]);
  return Vec::load_aligned(lanes);
#endif
}

/// What belongs to a row of a product, and to a vector of its columns; v = x W + bias from both and the sums.
struct Int8Row {
  Vec scale, shift;
  VIT_INLINE Int8Row(const Product& p, int64_t row) {
    const auto* of_row = reinterpret_cast<const float*>(static_cast<const uint8_t*>(p.x) + row * p.x_stride + p.steps * 4);
    scale = Vec(of_row[0]), shift = Vec(-of_row[1]);
  }
};
struct Int8Columns {
  Vec scale, sum, bias;
  VIT_INLINE Int8Columns(const Product& p, int64_t column)
      : scale(load(p.weight_scale + column)), sum(load(p.column_sum + column)), bias(load(p.bias + column)) {}
  /// a[m] w[n] (sum - zero_point[m] column_sum[n]) + bias[n]
  VIT_INLINE Vec value(const Int8Row& row, const int32_t* sums) const {
    return mul_add(mul_add(row.shift, sum, float_of(sums)) * row.scale, scale, bias);
  }
};
struct FloatRow {
  Vec factor;
  VIT_INLINE FloatRow(const Product& p, int64_t row) : factor(p.row_factor != nullptr ? p.row_factor[row] : 1.0f) {}
};
struct FloatColumns {
  Vec bias;
  VIT_INLINE FloatColumns(const Product& p, int64_t column) : bias(p.bias != nullptr ? load(p.bias + column) : Vec(0.0f)) {}
  VIT_INLINE Vec value(const FloatRow& row, const float* sums) const { return (load(sums) + bias) * row.factor; }
};

/// Calls put(position in y, column, lanes, v) for all of a tile. `sums`: rows `stride` apart.
template <class Sum, class Put>
VIT_INLINE void finish_with(const Product& p, const TilePlace& tile, const Sum* sums, int64_t stride, Put put) {
  constexpr bool kInt8 = __is_same(Sum, int32_t);
  using Row = std::conditional_t<kInt8, Int8Row, FloatRow>;
  using Columns = std::conditional_t<kInt8, Int8Columns, FloatColumns>;
  const int64_t row_end = tile.row + tile.rows,
                end = tile.column + tile.columns < p.columns ? tile.column + tile.columns : p.columns;
  int64_t column = tile.column;
  // Two vectors of columns share what belongs to a row.
  for (; column + 2 * kLanes <= end; column += 2 * kLanes) {
    const Columns first(p, column), second(p, column + kLanes);
    const Sum* from = sums + (column - tile.column);
    for (int64_t r = tile.row; r < row_end; ++r, from += stride) {
      const Row row(p, r);
      const Vec a = first.value(row, from), b = second.value(row, from + kLanes);
      put(r * p.y_stride + column, column, kLanes, a);
      put(r * p.y_stride + column + kLanes, column + kLanes, kLanes, b);
    }
  }
  for (; column < end; column += kLanes) {
    const int64_t lanes = end - column < kLanes ? end - column : kLanes;
    const Columns columns(p, column);
    const Sum* from = sums + (column - tile.column);
    for (int64_t r = tile.row; r < row_end; ++r, from += stride)
      put(r * p.y_stride + column, column, lanes, columns.value(Row(p, r), from));
  }
}

template <class Sum>
VIT_INLINE void finish(const Product& p, const TilePlace& tile, const Sum* sums, int64_t stride) {
  auto* y = static_cast<float*>(p.y);
  auto* narrow = static_cast<uint16_t*>(p.y);
  switch (p.store) {
    case ProductStore::kAdd:
      return finish_with(
          p, tile, sums, stride, [=](int64_t at, int64_t, int64_t lanes, Vec v) __attribute__((always_inline)) {
            store_lanes(y + at, lanes, load_lanes(y + at, lanes) + v);
          });
    case ProductStore::kScaleAdd:
      return finish_with(
          p, tile, sums, stride, [ =, &p ](int64_t at, int64_t column, int64_t lanes, Vec v) __attribute__((always_inline)) {
            store_lanes(y + at, lanes, mul_add(load(p.gamma + column), v, load_lanes(y + at, lanes)));
          });
    case ProductStore::kBF16:
      return with_coarse_activation(p.activation, [&](auto f) {
        finish_with(
            p, tile, sums, stride, [=](int64_t at, int64_t, int64_t lanes, Vec v) __attribute__((always_inline)) {
              store_bf16_lanes(narrow + at, lanes, f(v));
            });
      });
    case ProductStore::kWrite:
      return with_coarse_activation(p.activation, [&](auto f) {
        finish_with(
            p, tile, sums, stride, [=](int64_t at, int64_t, int64_t lanes, Vec v) __attribute__((always_inline)) {
              store_lanes(y + at, lanes, f(v));
            });
      });
  }
}

}  // namespace
}  // namespace vit
