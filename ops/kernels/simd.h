// SPDX-License-Identifier: Apache-2.0
// The vector type of the instruction set that this file is compiled for, what differs between xsimd versions, and the loops that
// row kernels share: the partial last vector is handled here, once.
#pragma once

#include <math.h>
#include <string.h>

#include <cassert>
#include <cstdint>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#define VIT_INLINE inline __attribute__((always_inline))

namespace vit {
namespace {

using Vec = xsimd::batch<float>;
constexpr int64_t kLanes = static_cast<int64_t>(Vec::size);
static_assert(kLanes == VIT_LANES, "the compiler's flags and the build's idea of them disagree");

VIT_INLINE Vec load(const float* p) { return Vec::load_unaligned(p); }
VIT_INLINE void store(float* p, Vec v) { v.store_unaligned(p); }

/// The first n < kLanes elements; the other lanes hold `spare`.
VIT_INLINE Vec load_first(const float* p, int64_t n, float spare) {
#if defined(__AVX512F__)
  return Vec(_mm512_mask_loadu_ps(Vec(spare), static_cast<__mmask16>((1u << n) - 1), p));
#else
  alignas(64) float lanes[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) lanes[i] = spare;
  memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return Vec::load_aligned(lanes);
#endif
}
VIT_INLINE void store_first(float* p, int64_t n, Vec v) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
#else
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
#endif
}

/// Brings a line of results, last seen a layer ago, to the first-level cache: stores at a tile's end would wait for it.
VIT_INLINE void ask_for_result(const void* p) { __builtin_prefetch(p, 1); }

/// All lanes, or the first of them.
VIT_INLINE Vec load_lanes(const float* p, int64_t lanes) { return lanes == kLanes ? load(p) : load_first(p, lanes, 0.0f); }
VIT_INLINE void store_lanes(float* p, int64_t lanes, Vec v) { lanes == kLanes ? store(p, v) : store_first(p, lanes, v); }

/// a * b + c, rounded once where the CPU can. xsimd 8 knows no fused form for AVX-512.
VIT_INLINE Vec mul_add(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return Vec(_mm512_fmadd_ps(a, b, c));
#else
  return xsimd::fma(a, b, c);
#endif
}

/// c - a * b, likewise
VIT_INLINE Vec subtract_product(Vec c, Vec a, Vec b) {
#if defined(__AVX512F__)
  return Vec(_mm512_fnmadd_ps(a, b, c));
#else
  return xsimd::fnma(a, b, c);
#endif
}

VIT_INLINE float reduce_add(Vec v) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}
VIT_INLINE float reduce_max(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(v);
#else
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  return lanes[0];
#endif
}

/// How many rows a kernel works on side by side where the way from a row's elements to its result is long: as many as leave their
/// accumulators in registers.
constexpr int kRowGroup = kLanes == 16 ? 4 : 2, kSoftmaxGroup = kLanes == 16 ? 6 : 2;

/// Calls f(count, row) for `rows` rows, N at a time and the rest one by one; count is a constant.
template <int N, class F>
VIT_INLINE void for_row_groups(int64_t rows, F f) {
  int64_t row = 0;
  for (; row + N <= rows; row += N) f(std::integral_constant<int, N>(), row);
  for (; row < rows; ++row) f(std::integral_constant<int, 1>(), row);
}

/// sums[r] = f(r, x[n - 1], ... f(r, x[0], 0)), f adding something to its last argument, over each of R rows, `stride` apart.
/// Spare lanes of the last vector hold neutral(r), for which f must add 0.
template <int R, class F, class Neutral>
VIT_INLINE void sum_over(const float* x, int64_t stride, int64_t n, F f, Neutral neutral, float* sums) {
  Vec even[R], odd[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) even[r] = odd[r] = Vec(0.0f);
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      even[r] = f(r, load(x + r * stride + i), even[r]);
      odd[r] = f(r, load(x + r * stride + i + kLanes), odd[r]);
    }
  for (; i < n; i += kLanes)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const float* at = x + r * stride + i;
      even[r] = f(r, n - i < kLanes ? load_first(at, n - i, neutral(r)) : load(at), even[r]);
    }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) sums[r] = reduce_add(even[r] + odd[r]);
}
/// The same of one row; f must add 0 for 0.
template <class F>
VIT_INLINE float sum_over(const float* x, int64_t n, F f) {
  float total;
  sum_over<1>(
      x, 0, n, [=](int, Vec v, Vec sum) __attribute__((always_inline)) { return f(v, sum); },
      [](int) __attribute__((always_inline)) { return 0.0f; }, &total);
  return total;
}

/// Fills R rows of y[0..n), `stride` apart: f(at) is called for each position, where at(p) loads the elements of p that stand
/// there, and gives a function of the row. So what all rows read is read once.
template <int R, class F>
VIT_INLINE void map_rows(float* y, int64_t stride, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const auto value = f([=](const float* p) __attribute__((always_inline)) { return load(p + i); });
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store(y + r * stride + i, value(r));
  }
  if (const int64_t rest = n - i; rest > 0) {
    const auto value = f([=](const float* p) __attribute__((always_inline)) { return load_first(p + i, rest, 0.0f); });
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store_first(y + r * stride + i, rest, value(r));
  }
}
/// The same of one row: f(at).
template <class F>
VIT_INLINE void map_row(float* y, int64_t n, F f) {
  map_rows<1>(
      y, 0, n, [=](auto at) __attribute__((always_inline)) {
        return [=](int) __attribute__((always_inline)) { return f(at); };
      });
}

}  // namespace
}  // namespace vit
