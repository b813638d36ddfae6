// SPDX-License-Identifier: Apache-2.0
// Row kernels: normalisation, softmax and the small ones. One row a call; y may be x; any alignment.
#pragma once

#include "ops/kernels/math-inl.h"

namespace vit {
namespace {

/// y[i] = (x[i] - mean) / sqrt(var + eps) * gamma[i] + beta[i]          Ba et al. 2016, section 3
///
/// x, gamma, beta, y: [C], C >= 1. Biased variance, as in PyTorch.
/// Two passes on purpose: E[x²] - E[x]² cancels when one channel holds an outlier, and ViT activations do that.
void layer_norm_row(const float* x, const float* gamma, const float* beta, float eps, int64_t channels, float* y) noexcept {
  assert(channels >= 1);
  const float count = static_cast<float>(channels);
  const float mean = sum_over(x, channels, 0.0f, [](Vec v) { return v; }) / count;
  const Vec shift(mean);
  const float var = sum_over(x, channels, mean, [&](Vec v) { return (v - shift) * (v - shift); }) / count;
  const Vec scale(1.0f / sqrtf(var + eps));
  map_row(y, channels, [&](auto at) { return mul_add((at(x) - shift) * scale, at(gamma), at(beta)); });
}

/// y[i] = x[i] / sqrt(mean(x²) + eps) * gamma[i]                        Zhang and Sennrich 2019
///
/// x, gamma, y: [C], C >= 1.
void rms_norm_row(const float* x, const float* gamma, float eps, int64_t channels, float* y) noexcept {
  assert(channels >= 1);
  const float mean = sum_over(x, channels, 0.0f, [](Vec v) { return v * v; }) / static_cast<float>(channels);
  const Vec scale(1.0f / sqrtf(mean + eps));
  map_row(y, channels, [&](auto at) { return at(x) * scale * at(gamma); });
}

/// For R rows, x_stride apart, calls put(row, i, lanes, exp(factor (x[i ..] - max x))) for each vector and writes the rows' sums.
/// x: [n] a row, n >= 1, factor > 0. Two rows are done faster together than one after the other: the way from a row's elements
/// to its maximum, to the exponentials, to their sum is long.
template <int R, class Exp, class Put>
VIT_INLINE void softmax_with(const float* x, int64_t x_stride, float factor, int64_t n, Exp exp, Put put, float* sums) {
  assert(n >= 1);
  Vec top[R][2];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) top[r][0] = top[r][1] = Vec(x[r * x_stride]);
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes)
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      top[r][0] = xsimd::max(top[r][0], load(x + r * x_stride + i));
      top[r][1] = xsimd::max(top[r][1], load(x + r * x_stride + i + kLanes));
    }
  for (; i < n; i += kLanes)
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      const float* at = x + r * x_stride;
      top[r][0] = xsimd::max(top[r][0], n - i < kLanes ? load_first(at + i, n - i, *at) : load(at + i));
    }

  const Vec scale(factor);
  Vec shift[R], sum[R];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) shift[r] = Vec(-reduce_max(xsimd::max(top[r][0], top[r][1])) * factor), sum[r] = Vec(0.0f);
  for (i = 0; i + kLanes <= n; i += kLanes)
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      const Vec e = exp(mul_add(load(x + r * x_stride + i), scale, shift[r]));
      sum[r] += e;
      put(r, i, kLanes, e);
    }
  if (i < n)
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      // A spare lane gives e^-87, which vanishes in a sum of at least 1.
      const Vec e = exp(mul_add(load_first(x + r * x_stride + i, n - i, -3e38f), scale, shift[r]));
      sum[r] += e;
      put(r, i, n - i, e);
    }
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) sums[r] = reduce_add(sum[r]);
}

/// y[i] = e^(scale (x[i] - max x)); returns the sum of y, so that y / sum is the softmax of scale * x.
///
/// x, y: [n], n >= 1, scale > 0. The division waits for the caller, who has fewer numbers to divide.
float softmax_row(const float* x, float scale, int64_t n, float* y) noexcept {
  float sum;
  softmax_with<1>(
      x, 0, scale, n, [](Vec v) __attribute__((always_inline)) { return exp_of(v); },
      [=](int, int64_t i, int64_t lanes, Vec e) __attribute__((always_inline)) { store_lanes(y + i, lanes, e); }, &sum);
  return sum;
}

/// y = a + b
void add_row(const float* a, const float* b, int64_t n, float* y) noexcept {
  map_row(y, n, [&](auto at) { return at(a) + at(b); });
}

/// y = max(a, b)
void max_row(const float* a, const float* b, int64_t n, float* y) noexcept {
  map_row(y, n, [&](auto at) { return xsimd::max(at(a), at(b)); });
}

/// y += x * factor; y is not x
void add_scaled_row(const float* x, float factor, int64_t n, float* y) noexcept {
  map_row(y, n, [&](auto at) { return mul_add(at(x), Vec(factor), at(y)); });
}

/// The sum of a[i] * b[i]
float dot_row(const float* a, const float* b, int64_t n) noexcept {
  Vec acc(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) acc = mul_add(load(a + i), load(b + i), acc);
  if (i < n) acc = mul_add(load_first(a + i, n - i, 0.0f), load_first(b + i, n - i, 0.0f), acc);
  return reduce_add(acc);
}

/// y = x * gamma, channel by channel (LayerScale: Touvron et al. 2021)
void scale_row(const float* x, const float* gamma, int64_t n, float* y) noexcept {
  map_row(y, n, [&](auto at) { return at(x) * at(gamma); });
}

/// x = x * factor + shift, `steps` times in kMultiplyAddChains vectors that begin with 0, 1, 2 ..., and never leave the
/// registers; returns the sum of them all. How fast the CPU can be at best: 2 * lanes * kMultiplyAddChains operations a step.
float multiply_add_chains(float factor, float shift, int64_t steps) noexcept {
  const Vec a(factor), b(shift);
  Vec x[kMultiplyAddChains];
#pragma GCC unroll 12
  for (int i = 0; i < kMultiplyAddChains; ++i) x[i] = Vec(static_cast<float>(i));
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kMultiplyAddChains; ++i) x[i] = mul_add(x[i], a, b);
  }
  Vec sum(0.0f);
#pragma GCC unroll 12
  for (int i = 0; i < kMultiplyAddChains; ++i) sum += x[i];
  return reduce_add(sum);
}

/// y = x * factor
void multiply_row(const float* x, float factor, int64_t n, float* y) noexcept {
  map_row(y, n, [&](auto at) { return at(x) * Vec(factor); });
}

}  // namespace
}  // namespace vit
