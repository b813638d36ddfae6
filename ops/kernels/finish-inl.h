// SPDX-License-Identifier: Apache-2.0
// What becomes of a tile's sums. They come through a small buffer in the first-level cache, where every tile leaves them in the
// same way: an epilogue in registers would be compiled once for every tile shape, kind of store and activation.
#pragma once

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

/// For one vector of columns a function (row, sums) -> v = x W + bias; what belongs to the columns stays in registers.
VIT_INLINE auto values_of(const Product& p, int64_t column, const int32_t*) {
  const Vec scale = load(p.weight_scale + column), sum = load(p.column_sum + column), bias = load(p.bias + column);
  return [&p, scale, sum, bias ](int64_t row, const int32_t* sums) __attribute__((always_inline)) {
    const auto* of_row = reinterpret_cast<const float*>(static_cast<const uint8_t*>(p.x) + row * p.x_stride + p.steps * 4);
    // a[m] w[n] (sum - zero_point[m] column_sum[n]) + bias[n]
    const Vec exact = mul_add(Vec(-of_row[1]), sum, float_of(sums));
    return mul_add(exact * Vec(of_row[0]), scale, bias);
  };
}
VIT_INLINE auto values_of(const Product& p, int64_t column, const float*) {
  const Vec bias = p.bias != nullptr ? load(p.bias + column) : Vec(0.0f);
  return [&p, bias ](int64_t row, const float* sums) __attribute__((always_inline)) {
    const Vec v = load(sums) + bias;
    return p.row_factor != nullptr ? v * Vec(p.row_factor[row]) : v;
  };
}

/// Calls put(position in y, column, lanes, v) for all of a tile. `sums`: rows `stride` apart.
template <class Sum, class Put>
VIT_INLINE void finish_with(const Product& p, const TilePlace& tile, const Sum* sums, int64_t stride, Put put) {
  for (int c = 0; c < tile.columns; c += static_cast<int>(kLanes)) {
    const int64_t column = tile.column + c, lanes = p.columns - column < kLanes ? p.columns - column : kLanes;
    if (lanes <= 0) return;
    const auto value = values_of(p, column, sums);
    const int64_t end = tile.row + tile.rows;
    const Sum* from = sums + c;
    if (lanes == kLanes)
      for (int64_t row = tile.row; row < end; ++row, from += stride)
        put(row * p.y_stride + column, column, kLanes, value(row, from));
    else
      for (int64_t row = tile.row; row < end; ++row, from += stride)
        put(row * p.y_stride + column, column, lanes, value(row, from));
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
