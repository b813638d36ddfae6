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

VIT_INLINE float reduce_min(Vec v) { return -reduce_max(-v); }

/// Smallest and greatest elements of some vectors, and whether all are finite.
struct Extremes {
  Vec low = Vec(0.0f), high = Vec(0.0f), check = Vec(0.0f);
  VIT_INLINE void add(Vec v) {
    low = xsimd::min(low, v), high = xsimd::max(high, v);
    check = mul_add(v, Vec(0.0f), check);
  }
  VIT_INLINE void add(const Extremes& other) {
    low = xsimd::min(low, other.low), high = xsimd::max(high, other.high);
    check += other.check;
  }
};

/// y = round(x / scale) + zero_point for one row, scale and zero_point such that 0 and both ends of the row fit in 0 .. kLevels;
/// the RowScale is written behind the padded row. A row with NaN or infinity gets the scale NaN, so that nothing computed from it
/// passes for a number. x: [n]; y: operand_bytes and a RowScale.
void quantise_row(const float* x, int64_t n, uint8_t* y) noexcept {
  Extremes of[3];
  int64_t i = 0;
  for (; i + 3 * kLanes <= n; i += 3 * kLanes)
#pragma GCC unroll 3
    for (int64_t j = 0; j < 3; ++j) of[j].add(load(x + i + j * kLanes));
  for (; i + kLanes <= n; i += kLanes) of[0].add(load(x + i));
  if (i < n) of[1].add(load_first(x + i, n - i, 0.0f));
  of[0].add(of[1]), of[0].add(of[2]);
  const float least = reduce_min(of[0].low), range = reduce_max(of[0].high) - least, sound = reduce_add(of[0].check);
  RowScale row;
  // The smallest scale keeps 1 / scale finite: a row of zeros is zeros.
  row.scale = (range > 255e-30f ? range / static_cast<float>(kLevels) : 1e-30f) + sound;
  row.zero_point = nearbyintf(-least / row.scale);
  const Vec inverse(1.0f / row.scale), shift(row.zero_point);
  const auto quantise = [&](Vec v) __attribute__((always_inline)) { return mul_add(v, inverse, shift); };
  i = 0;
#if defined(__AVX512VNNI__)
  for (; i + 64 <= n; i += 64)
    store_64_bytes(
        y + i, [&](int64_t j) __attribute__((always_inline)) { return quantise(load(x + i + j * kLanes)); });
#endif
  for (; i + kLanes <= n; i += kLanes) store_bytes(y + i, quantise(load(x + i)));
  const int64_t padded = operand_bytes(Precision::kInt8, n);
  if (i < n) {
    alignas(64) uint8_t bytes[kLanes];
    store_bytes(bytes, quantise(load_first(x + i, n - i, 0.0f)));
    memcpy(y + i, bytes, static_cast<size_t>(n - i));
  }
  if (n < padded) memset(y + n, 0, static_cast<size_t>(padded - n));
  memcpy(y + padded, &row, sizeof row);
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

template <int R>
VIT_INLINE void softmax_bf16(const float* x, int64_t x_stride, float scale, int64_t n, uint16_t* y, int64_t y_stride,
                             float* sums) {
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) pad_bf16(y + r * y_stride, n);
  softmax_with<R>(
      x, x_stride, scale * 1.44269504f, n,  // e^x = 2^(x / ln 2)
      [](Vec v) __attribute__((always_inline)) { return exp2_coarse(v); },
      [=](int r, int64_t i, int64_t lanes, Vec e)
          __attribute__((always_inline)) { store_bf16_lanes(y + r * y_stride + i, lanes, e); },
      sums);
}

/// softmax_row() of `rows` rows into bfloat16, padded with zeros to operand_bytes. x: rows x_stride apart; y: y_stride; sums:
/// [rows], of the unrounded numbers.
void softmax_bf16_rows(const float* x, int64_t x_stride, int64_t rows, float scale, int64_t n, uint16_t* y, int64_t y_stride,
                       float* sums) noexcept {
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) softmax_bf16<2>(x + r * x_stride, x_stride, scale, n, y + r * y_stride, y_stride, sums + r);
  if (r < rows) softmax_bf16<1>(x + r * x_stride, x_stride, scale, n, y + r * y_stride, y_stride, sums + r);
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
