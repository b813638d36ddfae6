// SPDX-License-Identifier: Apache-2.0
// Rows of float32 as the operands of narrow products: 8-bit numbers with a RowScale, bfloat16.
#pragma once

#include "ops/kernels/row-inl.h"
#include "quant/precision.h"

namespace vit {
namespace {

// vpmaddubsw adds pairs of products in 16 bits: 2 * 127 * 127 < 2^15, but 2 * 255 * 127 is not. Where a CPU has nothing better,
// activations have 7 bits.
#if defined(__AVX2__) && !defined(__AVX512VNNI__)
constexpr int kLevels = 127;
#else
constexpr int kLevels = 255;
#endif

/// kLanes floats, rounded to the nearest whole number in 0 .. kLevels.
VIT_INLINE void store_bytes(uint8_t* p, Vec v) {
#if defined(__AVX512VNNI__)
  static_assert(kLevels == 255);
  const __m512i whole = _mm512_max_epi32(_mm512_cvtps_epi32(v), _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(whole));
  return;
#endif
  v = xsimd::min(Vec(static_cast<float>(kLevels)), xsimd::max(Vec(0.0f), xsimd::nearbyint(v)));
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
#elif defined(__AVX2__)
  const __m256i whole = _mm256_cvtps_epi32(v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  for (int64_t i = 0; i < kLanes; ++i) p[i] = static_cast<uint8_t>(lanes[i]);
#endif
}

#if defined(__AVX512VNNI__)
/// Four vectors of store_bytes at a time, which is half as much work for the one port that moves lanes: vectors(0 .. 3).
template <class Vectors>
VIT_INLINE void store_64_bytes(uint8_t* p, Vectors vectors) {
  const auto whole = [&](int64_t j) __attribute__((always_inline)) { return _mm512_cvtps_epi32(vectors(j)); };
  const __m512i low = _mm512_packs_epi32(whole(0), whole(1)), high = _mm512_packs_epi32(whole(2), whole(3));
  // Packing keeps quarters apart: the words of a vector come as its first four numbers, its second four ...
  alignas(64) static constexpr int32_t kOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(_mm512_loadu_si512(kOrder), _mm512_packus_epi16(low, high)));
}
#endif

VIT_INLINE void store_bf16(uint16_t* p, Vec v) {
#if defined(__AVX512BF16__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
#elif defined(__AVX512F__)
  const __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  const __m512i out = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_srli_epi32(out, 16)));
#else
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  for (int64_t i = 0; i < kLanes; ++i) p[i] = to_bf16(lanes[i]);
#endif
}

VIT_INLINE void store_two_bf16(uint16_t* p, Vec first, Vec second) {
#if defined(__AVX512BF16__)
  _mm512_storeu_si512(p, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first)));
#else
  store_bf16(p, first), store_bf16(p + kLanes, second);
#endif
}

/// All lanes, or the first of them.
VIT_INLINE void store_bf16_lanes(uint16_t* p, int64_t count, Vec v) {
  if (count == kLanes) return store_bf16(p, v);
#if defined(__AVX512BF16__)
  return _mm256_mask_storeu_epi16(p, static_cast<__mmask16>((1u << count) - 1), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
#endif
  alignas(64) uint16_t lanes[kLanes];
  store_bf16(lanes, v);
  memcpy(p, lanes, static_cast<size_t>(count) * sizeof(uint16_t));
}

/// Whether any lane is not a number.
VIT_INLINE bool any_nan(Vec v) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) != 0;
#else
  return std::isnan(reduce_add(v));
#endif
}

typedef int32_t Signed __attribute__((vector_size(4 * VIT_LANES)));
typedef uint32_t Unsigned __attribute__((vector_size(4 * VIT_LANES)));

/// The ends of R rows' numbers and 0. As whole numbers, the bits of floats are in order while these are positive, and behind all
/// positive ones, from -0 down, while they are negative; infinity and NaN are beyond all others. So the ends are the greatest of
/// them, signed and unsigned.
template <int R>
struct Ends {
  Signed most[R];
  Unsigned least[R];
  VIT_INLINE Ends() {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) most[r] = Signed{}, least[r] = Unsigned{};
  }
  VIT_INLINE void look_at(int r, Vec v) {
    const auto bits = reinterpret_cast<Signed>(static_cast<Vec::register_type>(v));
    const auto as_unsigned = reinterpret_cast<Unsigned>(bits);
    most[r] = bits > most[r] ? bits : most[r];
    least[r] = as_unsigned > least[r] ? as_unsigned : least[r];
  }
  VIT_INLINE Vec high(int r) const { return Vec(reinterpret_cast<Vec::register_type>(most[r])); }
  VIT_INLINE Vec low(int r) const { return Vec(reinterpret_cast<Vec::register_type>(least[r])); }  ///< where it is negative
};

/// quantise_rows() of R rows side by side, whose ends are known: the way from there to its bytes is long.
template <int R>
VIT_INLINE void quantise(const Ends<R>& ends, const float* x, int64_t x_stride, int64_t n, uint8_t* y, int64_t y_stride) {
  float least[R], most[R], not_finite[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const Vec high = ends.high(r), low = ends.low(r), zero(0.0f);
    least[r] = -reduce_max(xsimd::max(zero, -low)), most[r] = reduce_max(high);
    not_finite[r] = any_nan(mul_add(high, zero, low * zero)) ? NAN : 0.0f;
  }
  // All rows at once, without branches.
  float scale[R], zero_point[R], factor[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const float step = (most[r] - least[r]) / static_cast<float>(kLevels);
    // The smallest scale keeps 1 / scale finite: a row of zeros is zeros.
    scale[r] = (step > 1e-30f ? step : 1e-30f) + not_finite[r];
    zero_point[r] = nearbyintf(-least[r] / scale[r]);
    factor[r] = 1.0f / scale[r];
  }
  const int64_t padded = operand_bytes(Precision::kInt8, n);
  Vec inverse[R], shift[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const RowScale row{scale[r], zero_point[r]};
    memcpy(y + r * y_stride + padded, &row, sizeof row);
    inverse[r] = Vec(factor[r]), shift[r] = Vec(zero_point[r]);
  }

  const auto bytes_of = [&](int r, Vec v) __attribute__((always_inline)) { return mul_add(v, inverse[r], shift[r]); };
  int64_t i = 0;
#if defined(__AVX512VNNI__)
  for (; i + 64 <= n; i += 64)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
      store_64_bytes(
          y + r * y_stride + i, [&](int64_t j) __attribute__((always_inline)) {
            return bytes_of(r, load(x + r * x_stride + i + j * kLanes));
          });
#endif
  for (; i + kLanes <= n; i += kLanes)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store_bytes(y + r * y_stride + i, bytes_of(r, load(x + r * x_stride + i)));
  for (int r = 0; r < R; ++r) {
    uint8_t* to = y + r * y_stride;
    if (i < n) {
      alignas(64) uint8_t bytes[kLanes];
      store_bytes(bytes, bytes_of(r, load_first(x + r * x_stride + i, n - i, 0.0f)));
      memcpy(to + i, bytes, static_cast<size_t>(n - i));
    }
    if (n < padded) memset(to + n, 0, static_cast<size_t>(padded - n));
  }
}

/// The same of rows that nobody has looked at yet.
template <int R>
VIT_INLINE void quantise(const float* x, int64_t x_stride, int64_t n, uint8_t* y, int64_t y_stride) {
  Ends<R> ends;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) ends.look_at(r, load(x + r * x_stride + i));
  if (i < n)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) ends.look_at(r, load_first(x + r * x_stride + i, n - i, 0.0f));
  quantise(ends, x, x_stride, n, y, y_stride);
}

/// y = round(x / scale) + zero_point of each row, scale and zero_point such that 0 and both ends of the row fit in 0 .. kLevels;
/// the RowScale is written behind the padded row. A row with NaN or infinity gets the scale NaN, so that nothing computed from it
/// passes for a number. x: `rows` rows of [n], x_stride apart; y: rows of operand_bytes and a RowScale, y_stride bytes apart.
void quantise_rows(const float* x, int64_t x_stride, int64_t rows, int64_t n, uint8_t* y, int64_t y_stride) noexcept {
  for_row_groups<kRowGroup>(
      rows, [=](auto count, int64_t row) __attribute__((always_inline)) {
        quantise<count>(x + row * x_stride, x_stride, n, y + row * y_stride, y_stride);
      });
}

/// quantise_rows() of what layer_norm_rows() makes, whose ends are seen while it is made. `norm`: kOperandRows rows of [C],
/// norm_stride apart, for it.
void layer_norm_int8_rows(const float* x, int64_t x_stride, int64_t rows, const float* gamma, const float* beta, float eps,
                          int64_t channels, float* norm, int64_t norm_stride, uint8_t* y, int64_t y_stride) noexcept {
  static_assert(kRowGroup <= kOperandRows);
  for_row_groups<kRowGroup>(
      rows, [=](auto count, int64_t row) __attribute__((always_inline)) {
        Ends<count> ends;
        layer_norm<count>(
            x + row * x_stride, x_stride, gamma, beta, eps, channels, norm,
            norm_stride, [&](int r, Vec v) __attribute__((always_inline)) { ends.look_at(r, v); });
        quantise(ends, norm, norm_stride, channels, y + row * y_stride, y_stride);
      });
}

VIT_INLINE void pad_bf16(uint16_t* y, int64_t n) {
  const int64_t padding = operand_bytes(Precision::kBF16, n) / 2 - n;  // at most 31
#if defined(__AVX512F__)
  return _mm512_mask_storeu_epi16(y + n, (1u << padding) - 1, _mm512_setzero_si512());
#endif
  memset(y + n, 0, static_cast<size_t>(padding) * sizeof(uint16_t));
}

/// y = x, rounded to nearest even, padded with zeros to operand_bytes. x: [n].
void bf16_row(const float* x, int64_t n, uint16_t* y) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bf16(y + i, load(x + i));
  if (i < n) store_bf16_lanes(y + i, n - i, load_first(x + i, n - i, 0.0f));
  pad_bf16(y, n);
}

/// softmax_rows() into bfloat16, padded with zeros to operand_bytes; the sums are of the unrounded numbers.
void softmax_bf16_rows(const float* x, int64_t x_stride, int64_t rows, float scale, int64_t n, uint16_t* y, int64_t y_stride,
                       float* sums) noexcept {
  for_row_groups<kSoftmaxGroup>(
      rows, [=](auto count, int64_t row) __attribute__((always_inline)) {
        uint16_t* to = y + row * y_stride;
        for (int r = 0; r < count; ++r) pad_bf16(to + r * y_stride, n);
        softmax_with<count>(
            x + row * x_stride, x_stride, scale, n, [](Vec v) __attribute__((always_inline)) { return exp2_coarse(v); },
            [=](int r, int64_t i, int64_t lanes, Vec e)
                __attribute__((always_inline)) { store_bf16_lanes(to + r * y_stride + i, lanes, e); },
            [=](int r, int64_t i, Vec e, Vec next)
                __attribute__((always_inline)) { store_two_bf16(to + r * y_stride + i, e, next); },
            sums + row);
      });
}

/// y[2 i] = even[i], y[2 i + 1] = odd[i]: two rows of values as the steps of a packed panel.
void interleave_rows(const uint16_t* even, const uint16_t* odd, int64_t n, uint16_t* y) noexcept {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even + i)));
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd + i)));
    _mm512_storeu_si512(y + 2 * i, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
#endif
  for (; i < n; ++i) y[2 * i] = even[i], y[2 * i + 1] = odd[i];
}

}  // namespace
}  // namespace vit
