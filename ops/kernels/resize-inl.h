// SPDX-License-Identifier: Apache-2.0
// Pillow's fixed-point resampling: a weighted sum of rows of bytes, and the transpositions that turn columns into rows.
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace vit {
namespace {

constexpr int kResizeBlock = 16;  ///< rows that are transposed together: a 16-byte register's height
typedef uint8_t Bytes16 __attribute__((vector_size(16)));

/// 32-bit sums of neighbouring bytes: what weigh() is written for. load() widens; store() clips to 0..255.
struct VectorLanes {
#if defined(__AVX512BW__)
  static constexpr int kWidth = 16;
  typedef int32_t Sum __attribute__((vector_size(64)));
  static Sum load(const uint8_t* src) { return (Sum)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)src)); }
  static void store(uint8_t* dst, Sum v) {
    const __m512i positive = _mm512_max_epi32((__m512i)v, _mm512_setzero_si512());
    _mm_storeu_si128((__m128i*)dst, _mm512_cvtusepi32_epi8(positive));
  }
#elif defined(__AVX2__)
  static constexpr int kWidth = 8;
  typedef int32_t Sum __attribute__((vector_size(32)));
  static Sum load(const uint8_t* src) { return (Sum)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)src)); }
  static void store(uint8_t* dst, Sum v) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i*)dst, _mm_packus_epi16(words, words));
  }
#elif defined(__SSE2__)
  static constexpr int kWidth = 4;
  typedef int32_t Sum __attribute__((vector_size(16)));
  static Sum load(const uint8_t* src) {
    int32_t bytes;
    memcpy(&bytes, src, 4);
    const __m128i zero = _mm_setzero_si128();
    return (Sum)_mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), zero), zero);
  }
  static void store(uint8_t* dst, Sum v) {
    const __m128i words = _mm_packs_epi32((__m128i)v, (__m128i)v);
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    memcpy(dst, &bytes, 4);
  }
#else
  static constexpr int kWidth = 16;
  typedef int32_t Sum __attribute__((vector_size(64)));
  static Sum load(const uint8_t* src) {
    Sum v;
    for (int i = 0; i < kWidth; ++i) v[i] = src[i];
    return v;
  }
  static void store(uint8_t* dst, Sum v) {
    for (int i = 0; i < kWidth; ++i) dst[i] = (uint8_t)(v[i] < 0 ? 0 : v[i] > 255 ? 255 : v[i]);
  }
#endif
};

struct OneLane {
  static constexpr int kWidth = 1;
  typedef int32_t Sum;
  static Sum load(const uint8_t* src) { return *src; }
  static void store(uint8_t* dst, Sum v) { *dst = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }
};

/// Count vectors of the weighted sum, held in registers over all taps.
template <class Lanes, int Count>
inline void weigh(const uint8_t* src, int64_t stride, const int32_t* weights, int64_t taps, uint8_t* dst) {
  typename Lanes::Sum sum[Count];
  for (int i = 0; i < Count; ++i) sum[i] = (typename Lanes::Sum){} + (1 << 21);
  for (int64_t t = 0; t < taps; ++t, src += stride)
    for (int i = 0; i < Count; ++i) sum[i] += Lanes::load(src + i * Lanes::kWidth) * weights[t];
  for (int i = 0; i < Count; ++i) Lanes::store(dst + i * Lanes::kWidth, sum[i] >> 22);
}

/// dst[i] = clip((2^21 + sum over t of src[t * stride + i] * weights[t]) >> 22), i in [0, bytes)       Pillow's Resample.c
///
/// src: [taps] rows of `bytes` bytes; weights: [taps], Pillow's 22-bit fixed point, whose sums fit 32 bits; any alignment; dst is
/// not src. Integer sums have no order, so every instruction set gives the same bytes. The last vectors overlap those before them
/// instead of having a tail.
void resize_rows(const uint8_t* src, int64_t stride, const int32_t* weights, int64_t taps, int64_t bytes, uint8_t* dst) noexcept {
  assert(taps >= 1 && bytes >= 1);
  constexpr int kLanesWide = VectorLanes::kWidth;
  constexpr int kMany = kLanesWide == 4 ? 4 : 48 / kLanesWide;  // 48: a transposed pixel; SSE2 has too few registers for it
  constexpr int64_t kManyBytes = kMany * kLanesWide;
  int64_t i = 0;
  for (; i + kManyBytes <= bytes; i += kManyBytes) weigh<VectorLanes, kMany>(src + i, stride, weights, taps, dst + i);
  for (; i + kLanesWide <= bytes; i += kLanesWide) weigh<VectorLanes, 1>(src + i, stride, weights, taps, dst + i);
  if (i == bytes) return;
  if (bytes >= kLanesWide) {
    i = bytes - kLanesWide;
    weigh<VectorLanes, 1>(src + i, stride, weights, taps, dst + i);
  } else {
    for (; i < bytes; ++i) weigh<OneLane, 1>(src + i, stride, weights, taps, dst + i);
  }
}

/// Transposes 16x16 bytes in registers: four rounds that interleave row i with row i + 8.
inline void transpose_tile(Bytes16 (&tile)[16]) {
  const Bytes16 low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const Bytes16 high = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  for (int round = 0; round < 4; ++round) {
    Bytes16 next[16];
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = __builtin_shuffle(tile[i], tile[i + 8], low);
      next[2 * i + 1] = __builtin_shuffle(tile[i], tile[i + 8], high);
    }
    for (int i = 0; i < 16; ++i) tile[i] = next[i];
  }
}

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// dst[i * 16 + r] = src[r * stride + i], i in [0, bytes), r in [0, rows); 1 <= rows <= 16. Columns of dst beyond `rows` repeat
/// the last.
void resize_transpose_in(const uint8_t* src, int64_t stride, int64_t rows, int64_t bytes, uint8_t* dst) noexcept {
  assert(rows >= 1 && rows <= kResizeBlock);
  for (int64_t i = 0; i < bytes; i += 16) {
    const int64_t width = least(16, bytes - i);
    Bytes16 tile[16];
    for (int64_t r = 0; r < 16; ++r) {
      const uint8_t* from = src + least(r, rows - 1) * stride + i;
      if (width == 16)
        memcpy(&tile[r], from, 16);
      else
        memcpy(&tile[r], from, (size_t)width);
    }
    transpose_tile(tile);
    memcpy(dst + i * 16, tile, (size_t)width * 16);
  }
}

/// dst[r * stride + i] = src[i * 16 + r], i in [0, bytes), r in [0, rows); 1 <= rows <= 16.
void resize_transpose_out(const uint8_t* src, int64_t rows, int64_t bytes, uint8_t* dst, int64_t stride) noexcept {
  assert(rows >= 1 && rows <= kResizeBlock);
  for (int64_t i = 0; i < bytes; i += 16) {
    const int64_t width = least(16, bytes - i);
    Bytes16 tile[16];
    memcpy(tile, src + i * 16, (size_t)width * 16);
    transpose_tile(tile);
    for (int64_t r = 0; r < rows; ++r) {
      if (width == 16)
        memcpy(dst + r * stride + i, &tile[r], 16);
      else
        memcpy(dst + r * stride + i, &tile[r], (size_t)width);
    }
  }
}

}  // namespace
}  // namespace vit
