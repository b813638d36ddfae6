// SPDX-License-Identifier: Apache-2.0
// What becomes of a tile's sums. They come through a small buffer in the first-level cache, where every tile leaves them in the
// same way: an ending in registers is compiled once for every tile shape, kind of store and activation, and is kept for the
// commonest (dot-inl.h).
#pragma once

#include <type_traits>

#include "ops/kernels/activation-inl.h"
#include "ops/kernels/narrow-inl.h"

namespace vit {
namespace {

/// A vector of whole numbers.
#if defined(__AVX512F__)
using Bits = __m512i;
VIT_INLINE Bits load_bits(const void* p) { return _mm512_loadu_si512(p); }
VIT_INLINE Bits broadcast(int32_t word) { return _mm512_set1_epi32(word); }
VIT_INLINE void store_bits(void* p, Bits v) { _mm512_storeu_si512(p, v); }
#elif defined(__AVX2__)
using Bits = __m256i;
VIT_INLINE Bits load_bits(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
VIT_INLINE Bits broadcast(int32_t word) { return _mm256_set1_epi32(word); }
VIT_INLINE void store_bits(void* p, Bits v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
#else
typedef int32_t Bits __attribute__((vector_size(16)));
VIT_INLINE Bits load_bits(const void* p) {
  Bits v;
  memcpy(&v, p, sizeof v);
  return v;
}
VIT_INLINE Bits broadcast(int32_t word) { return Bits{word, word, word, word}; }
VIT_INLINE void store_bits(void* p, Bits v) { memcpy(p, &v, sizeof v); }
#endif

VIT_INLINE Bits broadcast_at(const uint8_t* p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return broadcast(word);
}

/// Where a tile stands in its product.
struct TilePlace {
  int64_t row = 0, column = 0;
  int rows = 0, columns = 0;  ///< columns: whole vectors; the product may end inside the last one
};

VIT_INLINE Vec float_of(const float* p) { return load(p); }
VIT_INLINE Vec float_of(Bits v) {
#if defined(__AVX512F__)
  return Vec(_mm512_cvtepi32_ps(v));
#elif defined(__AVX2__)
  return Vec(_mm256_cvtepi32_ps(v));
#elif defined(__SSE2__)
  return Vec(_mm_cvtepi32_ps(reinterpret_cast<__m128i>(v)));
#else
  return Vec(vcvtq_f32_s32(reinterpret_cast<int32x4_t>(v)));
#endif
}
VIT_INLINE Vec float_of(const int32_t* p) { return float_of(load_bits(p)); }

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
  VIT_INLINE Vec value(const Int8Row& row, Vec sums) const {
    return mul_add(mul_add(row.shift, sum, sums) * row.scale, scale, bias);
  }
};
struct FloatRow {
  Vec factor;
  VIT_INLINE FloatRow(const Product& p, int64_t row) : factor(p.row_factor != nullptr ? p.row_factor[row] : 1.0f) {}
};
struct FloatColumns {
  Vec bias;
  VIT_INLINE FloatColumns(const Product& p, int64_t column) : bias(p.bias != nullptr ? load(p.bias + column) : Vec(0.0f)) {}
  VIT_INLINE Vec value(const FloatRow& row, Vec sums) const { return (sums + bias) * row.factor; }
};

/// Whether nothing but a row's factor comes to the sums.
VIT_INLINE bool only_multiplied(const Product& p) {
  return p.store == ProductStore::kWrite && p.bias == nullptr && p.activation == Activation::kNone;
}

template <class Sum>
using RowOf = std::conditional_t<__is_same(Sum, int32_t), Int8Row, FloatRow>;
template <class Sum>
using ColumnsOf = std::conditional_t<__is_same(Sum, int32_t), Int8Columns, FloatColumns>;

/// Calls put(position in y, column, lanes, v) for all of a tile. `sums`: rows `stride` apart.
template <class Sum, class Put>
VIT_INLINE void finish_with(const Product& p, const TilePlace& tile, const Sum* sums, int64_t stride, Put put) {
  using Row = RowOf<Sum>;
  using Columns = ColumnsOf<Sum>;
  const int64_t row_end = tile.row + tile.rows,
                end = tile.column + tile.columns < p.columns ? tile.column + tile.columns : p.columns;
  int64_t column = tile.column;
  // Two vectors of columns share what belongs to a row.
  for (; column + 2 * kLanes <= end; column += 2 * kLanes) {
    const Columns first(p, column), second(p, column + kLanes);
    const Sum* from = sums + (column - tile.column);
    for (int64_t r = tile.row; r < row_end; ++r, from += stride) {
      const Row row(p, r);
      const Vec a = first.value(row, float_of(from)), b = second.value(row, float_of(from + kLanes));
      put(r * p.y_stride + column, column, kLanes, a);
      put(r * p.y_stride + column + kLanes, column + kLanes, kLanes, b);
    }
  }
  for (; column < end; column += kLanes) {
    const int64_t lanes = end - column < kLanes ? end - column : kLanes;
    const Columns columns(p, column);
    const Sum* from = sums + (column - tile.column);
    for (int64_t r = tile.row; r < row_end; ++r, from += stride)
      put(r * p.y_stride + column, column, lanes, columns.value(Row(p, r), float_of(from)));
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
