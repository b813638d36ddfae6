// SPDX-License-Identifier: Apache-2.0
// Row kernels: normalisation, softmax and the small ones. One row a call; y may be x; any alignment.
#pragma once

#include "ops/kernels/math-inl.h"

namespace vit {
namespace {

/// layer_norm_rows() of R rows side by side: the way from a row's elements to its mean, its variance and its results is long.
/// Calls look(r, v) with each vector of results of row r; spare lanes of the last are 0.
template <int R, class Look>
VIT_INLINE void layer_norm(const float* x, int64_t x_stride, const float* gamma, const float* beta, float eps, int64_t channels,
                           float* y, int64_t y_stride, Look look) {
  const float count = static_cast<float>(channels);
  float mean[R], var[R];
  sum_over<R>(
      x, x_stride, channels, [](int, Vec v, Vec sum) __attribute__((always_inline)) { return sum + v; },
      [](int) __attribute__((always_inline)) { return 0.0f; }, mean);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) mean[r] /= count;
  sum_over<R>(
      x, x_stride, channels,
      [&](int r, Vec v, Vec sum) __attribute__((always_inline)) {
        const Vec difference = v - Vec(mean[r]);
        return mul_add(difference, difference, sum);
      },
      [&](int r) __attribute__((always_inline)) { return mean[r]; }, var);
  Vec shift[R], scale[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) shift[r] = Vec(mean[r]), scale[r] = Vec(1.0f / sqrtf(var[r] / count + eps));
  map_rows<R>(
      y, y_stride, channels, [&](auto at) __attribute__((always_inline)) {
        return [&, at, factor = at(gamma), bias = at(beta) ](int r) __attribute__((always_inline)) {
          const Vec v = mul_add((at(x + r * x_stride) - shift[r]) * scale[r], factor, bias);
          look(r, v);
          return v;
        };
      });
}

/// y[i] = (x[i] - mean) / sqrt(var + eps) * gamma[i] + beta[i]          Ba et al. 2016, section 3
///
/// x, y: `rows` rows of [C], a stride apart, C >= 1; gamma, beta: [C]. Biased variance, as in PyTorch.
/// Two passes on purpose: E[x²] - E[x]² cancels when one channel holds an outlier, and ViT activations do that.
void layer_norm_rows(const float* x, int64_t x_stride, int64_t rows, const float* gamma, const float* beta, float eps,
                     int64_t channels, float* y, int64_t y_stride) noexcept {
  assert(channels >= 1);
  for_row_groups<kRowGroup>(
      rows, [=](auto count, int64_t row) __attribute__((always_inline)) {
        layer_norm<count>(x + row * x_stride, x_stride, gamma, beta, eps, channels, y + row * y_stride, y_stride,
                          [](int, Vec) __attribute__((always_inline)){});
      });
}

/// y[i] = x[i] / sqrt(mean(x²) + eps) * gamma[i]                        Zhang and Sennrich 2019
///
/// x, gamma, y: [C], C >= 1.
void rms_norm_row(const float* x, const float* gamma, float eps, int64_t channels, float* y) noexcept {
  assert(channels >= 1);
  const float mean = sum_over(x, channels, [](Vec v, Vec sum) { return mul_add(v, v, sum); }) / static_cast<float>(channels);
  const Vec scale(1.0f / sqrtf(mean + eps));
  map_row(y, channels, [&](auto at) { return at(x) * scale * at(gamma); });
}

/// For R rows, x_stride apart, calls put(row, i, lanes, e) or put_two(row, i, e, next e) with e = e^(scale (x[i ..] - max x))
/// of each vector and writes the rows' sums. x: [n] a row, n >= 1, scale > 0; exp2: 2^v.
template <int R, class Exp2, class Put, class PutTwo>
VIT_INLINE void softmax_with(const float* x, int64_t x_stride, float scale, int64_t n, Exp2 exp2, Put put, PutTwo put_two,
                             float* sums) {
  assert(n >= 1);
  const float scale2 = scale * 1.44269504f;  // e^x = 2^(x / ln 2)
  Vec top[R];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) top[r] = Vec(x[r * x_stride]);
  for (int64_t i = 0; i < n; i += kLanes)
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const float* at = x + r * x_stride;
      top[r] = xsimd::max(top[r], n - i < kLanes ? load_first(at + i, n - i, *at) : load(at + i));
    }

  const Vec factor(scale2);
  Vec shift[R], sum[R];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) shift[r] = Vec(-reduce_max(top[r]) * scale2), sum[r] = Vec(0.0f);
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes)
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const float* at = x + r * x_stride + i;
      const Vec e = exp2(mul_add(load(at), factor, shift[r])), next = exp2(mul_add(load(at + kLanes), factor, shift[r]));
      sum[r] += e;
      sum[r] += next;
      put_two(r, i, e, next);
    }
  if (i + kLanes <= n) {
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const Vec e = exp2(mul_add(load(x + r * x_stride + i), factor, shift[r]));
      sum[r] += e;
      put(r, i, kLanes, e);
    }
    i += kLanes;
  }
  if (i < n)
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      // A spare lane gives at most 2^-126, which vanishes in a sum of at least 1.
      const Vec e = exp2(mul_add(load_first(x + r * x_stride + i, n - i, -1e38f), factor, shift[r]));
      sum[r] += e;
      put(r, i, n - i, e);
    }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) sums[r] = reduce_add(sum[r]);
}

/// y[i] = e^(scale (x[i] - max x)) of each row; sums: [rows], of y, so that y / sum is the softmax of scale * x.
///
/// x, y: `rows` rows of [n], n >= 1, a stride apart; scale > 0. The division waits for the caller, who has fewer numbers to
/// divide.
void softmax_rows(const float* x, int64_t x_stride, int64_t rows, float scale, int64_t n, float* y, int64_t y_stride,
                  float* sums) noexcept {
  for_row_groups<kSoftmaxGroup>(
      rows, [=](auto count, int64_t row) __attribute__((always_inline)) {
        softmax_with<count>(
            x + row * x_stride, x_stride, scale, n, [](Vec v) __attribute__((always_inline)) { return exp2_of(v); },
            [=](int r, int64_t i, int64_t lanes, Vec e)
                __attribute__((always_inline)) { store_lanes(y + (row + r) * y_stride + i, lanes, e); },
            [=](int r, int64_t i, Vec e, Vec next) __attribute__((always_inline)) {
              store(y + (row + r) * y_stride + i, e), store(y + (row + r) * y_stride + i + kLanes, next);
            },
            sums + row);
      });
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
