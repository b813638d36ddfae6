// SPDX-License-Identifier: Apache-2.0
// The vector type of the instruction set that this file is compiled for, what differs between xsimd versions, and the loops that
// row kernels share: the partial last vector is handled here, once.
#pragma once

#include <math.h>
#include <string.h>

#include <cassert>
#include <cstdint>
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

/// Sum of f(x[i]) over n elements. Spare lanes of the last vector hold `neutral`, for which f must give 0.
template <class F>
VIT_INLINE float sum_over(const float* x, int64_t n, float neutral, F f) {
  Vec acc[4] = {Vec(0.0f), Vec(0.0f), Vec(0.0f), Vec(0.0f)};  // an addition takes four cycles
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j) acc[j] += f(load(x + i + j * kLanes));
  for (; i + kLanes <= n; i += kLanes) acc[0] += f(load(x + i));
  if (i < n) acc[1] += f(load_first(x + i, n - i, neutral));
  return reduce_add((acc[0] + acc[1]) + (acc[2] + acc[3]));
}

/// Fills y[0..n) with f(at), where at(p) loads the elements of p that stand at the current position.
template <class F>
VIT_INLINE void map_row(float* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    store(y + i, f([=](const float* p) __attribute__((always_inline)) { return load(p + i); }));
  if (const int64_t rest = n - i; rest > 0)
    store_first(y + i, rest, f([=](const float* p) __attribute__((always_inline)) { return load_first(p + i, rest, 0.0f); }));
}

}  // namespace
}  // namespace vit
