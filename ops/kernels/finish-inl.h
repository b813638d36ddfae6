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
  Vec scale, zero_point;
};
struct Int8Columns {
  Vec scale, sum, bias;
  VIT_INLINE Int8Columns(const Product& p, int64_t column)
      : scale(load(p.weight_scale + column)), sum(load(p.column_sum + column)), bias(load(p.bias + column)) {}
  /// a[m] w[n] (sum - zero_point[m] column_sum[n]) + bias[n]
  VIT_INLINE Vec value(const Int8Row& row, Vec sums) const {
    return mul_add(subtract_product(sums, row.zero_point, sum) * row.scale, scale, bias);
  }
};
struct FloatRow {
  Vec factor;
};
struct FloatColumns {
  Vec bias;
  VIT_INLINE FloatColumns(const Product& p, int64_t column) : bias(p.bias != nullptr ? load(p.bias + column) : Vec(0.0f)) {}
  VIT_INLINE Vec value(const FloatRow& row, Vec sums) const { return (sums + bias) * row.factor; }
};

/// The rows of a tile. A store of a vector may change whatever a pointer leads to, for all that the compiler knows: what is read
/// again and again between stores is a variable.
struct Int8Rows {
  const uint8_t* first;
  int64_t stride;
  VIT_INLINE Int8Rows(const Product& p, int64_t row)
      : first(static_cast<const uint8_t*>(p.x) + row * p.x_stride + p.steps * 4), stride(p.x_stride) {}
  VIT_INLINE Int8Row operator[](int64_t i) const {
    const auto* row = reinterpret_cast<const float*>(first + i * stride);
    return {Vec(row[0]), Vec(row[1])};
  }
};
struct FloatRows {
  const float* factors;  ///< or null
  VIT_INLINE FloatRows(const Product& p, int64_t row) : factors(p.row_factor != nullptr ? p.row_factor + row : nullptr) {}
  VIT_INLINE FloatRow operator[](int64_t i) const { return {Vec(factors != nullptr ? factors[i] : 1.0f)}; }
};

/// Whether nothing but a row's factor comes to the sums.
VIT_INLINE bool only_multiplied(const Product& p) {
  return p.store == ProductStore::kWrite && p.bias == nullptr && p.activation == Activation::kNone;
}

template <class Sum>
using RowsOf = std::conditional_t<__is_same(Sum, int32_t), Int8Rows, FloatRows>;
template <class Sum>
using ColumnsOf = std::conditional_t<__is_same(Sum, int32_t), Int8Columns, FloatColumns>;

/// Calls put(position in y, column, lanes, v) for all of a tile. `sums`: rows `stride` apart.
template <class Sum, class Put>
VIT_INLINE void finish_with(const Product& p, const TilePlace& tile, const Sum* sums, int64_t stride, Put put) {
  using Columns = ColumnsOf<Sum>;
  const RowsOf<Sum> rows(p, tile.row);
  const int64_t end = tile.column + tile.columns < p.columns ? tile.column + tile.columns : p.columns;
  const int64_t y_stride = p.y_stride, first_row = tile.row * y_stride;
  const int row_count = tile.rows;
  int64_t column = tile.column;
  // Two vectors of columns share what belongs to a row.
  for (; column + 2 * kLanes <= end; column += 2 * kLanes) {
    const Columns first(p, column), second(p, column + kLanes);
    const Sum* from = sums + (column - tile.column);
    int64_t at = first_row + column;
    for (int r = 0; r < row_count; ++r, from += stride, at += y_stride) {
      const auto row = rows[r];
      const Vec a = first.value(row, float_of(from)), b = second.value(row, float_of(from + kLanes));
      put(at, column, kLanes, a);
      put(at + kLanes, column + kLanes, kLanes, b);
    }
  }
  for (; column < end; column += kLanes) {
    const int64_t lanes = end - column < kLanes ? end - column : kLanes;
    const Columns columns(p, column);
    const Sum* from = sums + (column - tile.column);
    int64_t at = first_row + column;
    for (int r = 0; r < row_count; ++r, from += stride, at += y_stride)
      put(at, column, lanes, columns.value(rows[r], float_of(from)));
  }
}

/// Once for all shapes of tiles.
template <class Sum>
__attribute__((noinline)) void finish(const Product& p, const TilePlace& tile, const Sum* sums, int64_t stride) {
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
          p, tile, sums, stride,
          [ =, gamma = p.gamma ](int64_t at, int64_t column, int64_t lanes, Vec v) __attribute__((always_inline)) {
            store_lanes(y + at, lanes, mul_add(load(gamma + column), v, load_lanes(y + at, lanes)));
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
