// SPDX-License-Identifier: Apache-2.0
// Products of narrow operands in registers: accumulators of R rows x J vectors, one step (four bytes of each row, broadcast, and
// four bytes of each column) at a time.
#pragma once

#include "ops/kernels/wrapped-inl.h"

namespace vit {
namespace {

// ---- multiply-add of one step: four bytes of a row, broadcast, with four bytes of each column
// -----------------------------------------

/// u8 x s8, exact in s32.
struct Int8 {
  using Sum = int32_t;
  using Wrapped = WrappedSums;
  static VIT_INLINE Vec floats(Bits v) { return float_of(v); }
#if defined(__AVX512VNNI__)
  static VIT_INLINE Bits zero() { return _mm512_setzero_si512(); }
  static VIT_INLINE Bits add(Bits sum, Bits x, Bits w) { return _mm512_dpbusd_epi32(sum, x, w); }
#elif defined(__AVX512F__)
  static VIT_INLINE Bits zero() { return _mm512_setzero_si512(); }
  static VIT_INLINE Bits add(Bits sum, Bits x, Bits w) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1)));
  }
#elif defined(__AVX2__)
  static VIT_INLINE Bits zero() { return _mm256_setzero_si256(); }
  static VIT_INLINE Bits add(Bits sum, Bits x, Bits w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)));
  }
#else
  static VIT_INLINE Bits zero() { return Bits{}; }
  /// Byte by byte of each lane: products of 8-bit numbers fit in 32 bits.
  static VIT_INLINE Bits add(Bits sum, Bits x, Bits w) {
    const Unsigned ux = reinterpret_cast<Unsigned>(x), uw = reinterpret_cast<Unsigned>(w);
    const auto byte_of = [](Unsigned v, int i) { return v >> (8 * i) & 255; };
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      sum += reinterpret_cast<Bits>(byte_of(ux, i)) * (reinterpret_cast<Bits>(uw << (24 - 8 * i)) >> 24);
    return sum;
  }
#endif
};

/// bfloat16 x bfloat16 in float32.
struct BF16 {
  using Sum = float;
  using Wrapped = NeverWrapped;
  static VIT_INLINE Vec floats(Bits v) {
#if defined(__AVX512F__)
    return Vec(_mm512_castsi512_ps(v));
#elif defined(__AVX2__)
    return Vec(_mm256_castsi256_ps(v));
#elif defined(__SSE2__)
    return Vec(reinterpret_cast<__m128>(v));
#else
    return Vec(reinterpret_cast<float32x4_t>(v));
#endif
  }
#if defined(__AVX512BF16__)
  static VIT_INLINE Bits zero() { return _mm512_setzero_si512(); }
  static VIT_INLINE Bits add(Bits sum, Bits x, Bits w) {
    return _mm512_castps_si512(
        _mm512_dpbf16_ps(_mm512_castsi512_ps(sum), reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w)));
  }
#else
  static VIT_INLINE Bits bits(Vec v) {
#if defined(__AVX512F__)
    return _mm512_castps_si512(v);
#elif defined(__AVX2__)
    return _mm256_castps_si256(v);
#elif defined(__SSE2__)
    return reinterpret_cast<Bits>(static_cast<__m128>(v));
#else
    return reinterpret_cast<Bits>(static_cast<float32x4_t>(v));
#endif
  }
  static VIT_INLINE Bits low(Bits v) {
#if defined(__AVX512F__)
    return _mm512_slli_epi32(v, 16);
#elif defined(__AVX2__)
    return _mm256_slli_epi32(v, 16);
#else
    return v << 16;
#endif
  }
  static VIT_INLINE Bits high(Bits v) {
#if defined(__AVX512F__)
    return _mm512_and_si512(v, _mm512_set1_epi32(static_cast<int32_t>(0xffff0000)));
#elif defined(__AVX2__)
    return _mm256_and_si256(v, _mm256_set1_epi32(static_cast<int32_t>(0xffff0000)));
#else
    return v & static_cast<int32_t>(0xffff0000);
#endif
  }
  static VIT_INLINE Bits zero() { return bits(Vec(0.0f)); }
  static VIT_INLINE Bits add(Bits sum, Bits x, Bits w) {
    return bits(mul_add(floats(high(x)), floats(high(w)), mul_add(floats(low(x)), floats(low(w)), floats(sum))));
  }
#endif
};

// ---- tiles in registers
// ---------------------------------------------------------------------------------------------------------

/// The commonest endings of whole tiles, without a detour; whether this was one.
template <class Dot, int R, int J>
VIT_INLINE bool finish_in_registers(const Product& p, const TilePlace& tile, const Bits (&acc)[R][J]) {
  using Sum = typename Dot::Sum;
  if (tile.column + J * kLanes > p.columns) return false;
  const RowsOf<Sum> rows(p, tile.row);
  const int64_t stride = p.y_stride, origin = tile.row * stride + tile.column;
  float* const y = static_cast<float*>(p.y) + origin;
  uint16_t* const narrow = static_cast<uint16_t*>(p.y) + origin;
  if constexpr (__is_same(Sum, float)) {
    if (only_multiplied(p)) {
      const bool bare = rows.factors == nullptr;
#pragma GCC unroll 6
      for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < J; ++j) {
          const Vec v = Dot::floats(acc[i][j]);
          store(y + i * stride + j * kLanes, bare ? v : v * rows[i].factor);
        }
      return true;
    }
    if (rows.factors != nullptr) return false;
  }
  const auto value = [&](const auto& columns, int i, Vec sums) __attribute__((always_inline)) {
    if constexpr (__is_same(Sum, float))
      return sums + columns.bias;
    else
      return columns.value(rows[i], sums);
  };
  // S rows x `vectors` (1 or 2) at a time. Two of a row share what belongs to it, a rounding and a store; for GELU's float32,
  // and beside sums in 16 bits, there are no registers left. Without AVX-512 GELU's chain is long, and all rows go side by side.
  constexpr int S = kLanes == 16 ? 1 : R;
  const auto each = [&](auto vectors, auto activate, auto put) __attribute__((always_inline)) {
    constexpr int C = vectors;
#pragma GCC unroll 4
    for (int j = 0; j < J; j += C) {
      const ColumnsOf<Sum> first(p, tile.column + j * kLanes), last(p, tile.column + (j + C - 1) * kLanes);
#pragma GCC unroll 6
      for (int from = 0; from < R; from += S) {
        Vec v[S * C];
#pragma GCC unroll 6
        for (int i = 0; i < S; ++i)
#pragma GCC unroll 2
          for (int c = 0; c < C; ++c) v[i * C + c] = value(c == 0 ? first : last, from + i, Dot::floats(acc[from + i][j + c]));
        activate(v);
#pragma GCC unroll 6
        for (int i = 0; i < S; ++i) put((from + i) * stride + j * kLanes, j, v + i * C, vectors);
      }
    }
    return true;
  };
  if constexpr (J == kDotVectors && R >= kDotRows - 1) {
    const auto plain = [](auto&) __attribute__((always_inline)){};
    const auto gelu = [](auto& v) __attribute__((always_inline)) { gelu_coarse(v); };
    const auto write = [=](int64_t at, int, const Vec* v, auto vectors) __attribute__((always_inline)) {
      for (int c = 0; c < vectors; ++c) store(y + at + c * kLanes, v[c]);
    };
    const auto write_bf16 = [=](int64_t at, int, const Vec* v, auto vectors) __attribute__((always_inline)) {
      if constexpr (vectors == 2)
        store_two_bf16(narrow + at, v[0], v[1]);
      else
        store_bf16(narrow + at, v[0]);
    };
    const auto add = [=](int64_t at, int, const Vec* v, auto vectors) __attribute__((always_inline)) {
      for (int c = 0; c < vectors; ++c) store(y + at + c * kLanes, load(y + at + c * kLanes) + v[c]);
    };
    const auto scale_add = [ =, gamma = p.gamma, column = tile.column ](int64_t at, int j, const Vec* v, auto vectors)
        __attribute__((always_inline)) {
      for (int c = 0; c < vectors; ++c)
        store(y + at + c * kLanes, mul_add(load(gamma + column + (j + c) * kLanes), v[c], load(y + at + c * kLanes)));
    };
    constexpr std::integral_constant<int, 1> one;
    constexpr std::integral_constant<int, __is_same(typename Dot::Wrapped, NeverWrapped) && kLanes == 16 ? 2 : 1> most;
    if (p.store == ProductStore::kAdd) return each(most, plain, add);
    if (p.store == ProductStore::kScaleAdd) return each(most, plain, scale_add);
    if (p.store == ProductStore::kWrite || p.store == ProductStore::kBF16) {
      const bool floats = p.store == ProductStore::kWrite;
      if (p.activation == Activation::kNone) return floats ? each(most, plain, write) : each(most, plain, write_bf16);
      if (p.activation == Activation::kGelu) return floats ? each(one, gelu, write) : each(most, gelu, write_bf16);
    }
  }
  return false;
}

/// R rows x J vectors, summed over all steps, of the panel at `w`; brings `soon_lines` lines from `soon` to the level-2 cache.
template <class Dot, int R, int J>
void dot_tile(const Product& p, const TilePlace& tile, const uint8_t* w, const typename Dot::Wrapped* wrapped,
              const uint8_t* soon, int64_t soon_lines) noexcept {
  Bits acc[R][J];
#pragma GCC unroll 6
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) acc[i][j] = Dot::zero();

  const int64_t stride = p.x_stride;
  const auto* x = static_cast<const uint8_t*>(p.x) + tile.row * stride;
  const uint8_t* const end = x + 4 * (p.used_steps > 0 ? p.used_steps : p.steps);
  const auto ask = [&]() __attribute__((always_inline)) {
    if (soon_lines <= 0) return;
    __builtin_prefetch(soon, 0, 2);
    soon += 64, --soon_lines;
  };
  if constexpr (!__is_same(typename Dot::Wrapped, NeverWrapped))
    if (wrapped != nullptr) {
      const auto* y = static_cast<const uint8_t*>(p.y);
      const int64_t size = p.store == ProductStore::kBF16 ? 2 : 4;
      for (int i = 0; i < R; ++i) ask_for_result(y + ((tile.row + i) * p.y_stride + tile.column) * size);
      wrapped->multiply(acc, x, stride, w, ask);
      x += 4 * wrapped->steps(), w += 4 * kPanelColumns * wrapped->steps();
    }
  while (x != end) {
    ask();
    // The bound is not to be known: unrolled, GCC adds up products of four steps before the sums, for which there are no
    // registers.
    for (const uint8_t* const stop = x + 16 < end ? x + 16 : end; x != stop; x += 4, w += 4 * kPanelColumns) {
      Bits weight[J];
#pragma GCC unroll 4
      for (int j = 0; j < J; ++j) weight[j] = load_bits(w + j * 4 * kLanes);
#pragma GCC unroll 6
      for (int i = 0; i < R; ++i) {
        const Bits value = broadcast_at(x + i * stride);
#pragma GCC unroll 4
        for (int j = 0; j < J; ++j) acc[i][j] = Dot::add(acc[i][j], value, weight[j]);
      }
    }
  }

  if (finish_in_registers<Dot>(p, tile, acc)) return;
  alignas(64) typename Dot::Sum sums[R * J * kLanes];
#pragma GCC unroll 6
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) store_bits(sums + (i * J + j) * kLanes, acc[i][j]);
  finish(p, tile, sums, J * kLanes);
}

template <class Dot>
using DotFunction = void (*)(const Product&, const TilePlace&, const uint8_t*, const typename Dot::Wrapped*, const uint8_t*,
                             int64_t) noexcept;

template <class Dot, int R = kDotRows, int J = kDotVectors>
VIT_INLINE DotFunction<Dot> dot_tile_for(int64_t rows, int64_t vectors) {
  if constexpr (R > 1)
    if (rows < R) return dot_tile_for<Dot, R - 1, J>(rows, vectors);
  if constexpr (J > 1)
    if (vectors < J) return dot_tile_for<Dot, R, J - 1>(rows, vectors);
  return dot_tile<Dot, R, J>;
}

/// A panel stays in the cache while all rows pass, in tiles as equal as they can be; each brings its share of the next panel.
template <class Dot>
VIT_INLINE void dot_product(const Product& p) {
  assert(p.rows >= 1 && p.columns >= 1 && p.steps % 16 == 0);
  const int64_t tiles = (p.rows + kDotRows - 1) / kDotRows, panel_bytes = p.steps * kPanelColumns * 4;
  const auto* w = static_cast<const uint8_t*>(p.panels);
  typename Dot::Wrapped sums;
  const bool worth_it = p.rows >= kRowsWorthWrapping;
  for (int64_t column = 0; column < p.columns; column += kPanelColumns, w += panel_bytes) {
    if (worth_it) sums.prepare(w, p.steps);
    const int64_t left = p.columns - column, vectors = left < kPanelColumns ? (left + kLanes - 1) / kLanes : kDotVectors;
    const int64_t soon_lines = left > kPanelColumns || p.more ? panel_bytes / 64 : 0;
    for (int64_t t = 0, row = 0; t < tiles; ++t) {
      const int64_t end = p.rows * (t + 1) / tiles, first = soon_lines * t / tiles, last = soon_lines * (t + 1) / tiles;
      const TilePlace tile{row, column, static_cast<int>(end - row), static_cast<int>(vectors * kLanes)};
      dot_tile_for<Dot>(end - row, vectors)(p, tile, w, worth_it ? &sums : nullptr, w + panel_bytes + 64 * first, last - first);
      row = end;
    }
  }
}

}  // namespace
}  // namespace vit
