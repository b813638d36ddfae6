// SPDX-License-Identifier: Apache-2.0
// Elementary functions on vectors.
#pragma once

#include "ops/kernels/simd.h"

namespace vit {
namespace {

/// c[0] + c[1] t + c[2] t² + ..., by Horner's rule.
template <int N>
VIT_INLINE Vec polynomial(const float (&c)[N], Vec t) {
  Vec p(c[N - 1]);
#pragma GCC unroll 8
  for (int i = N - 2; i >= 0; --i) p = mul_add(p, t, Vec(c[i]));
  return p;
}

/// e^x to 2e-7 relative; x is held to [-87.3, 88].
///
/// 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; ln 2 in two parts, the first short enough for an exact product (Cody and
/// Waite 1980). The polynomial is the minimax fit of (e^r - 1 - r) / r², which leaves 3e-9.
VIT_INLINE Vec exp_of(Vec x) {
  constexpr float kFit[] = {0.49999994f, 0.16666521f, 0.041668389f, 0.0083687454f, 0.0013814541f};
  const Vec held = xsimd::min(Vec(88.0f), xsimd::max(Vec(-87.3f), x));  // in this order NaN stays NaN
  const Vec n = xsimd::nearbyint(held * Vec(1.44269504f));
  const Vec r = mul_add(n, Vec(1.42860677e-6f), mul_add(n, Vec(-0.693148613f), held));
  const Vec e = mul_add(polynomial(kFit, r), r * r, r) + Vec(1.0f);
  return xsimd::ldexp(e, xsimd::to_int(n));
}

/// 2^x to 7.5e-5 relative, a twentieth of a bfloat16's last place; x <= 0.
///
/// 2^n 2^r, |r| <= 1/2, with the cubic of least relative error.
VIT_INLINE Vec exp2_coarse(Vec x) {
  constexpr float kFit[] = {0.99992812f, 0.69326103f, 0.24261093f, 0.05517118f};
#if defined(__AVX512F__)
  const Vec n(_mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  return Vec(_mm512_scalef_ps(polynomial(kFit, x - n), n));
#else
  const Vec held = xsimd::max(Vec(-126.0f), x), n = xsimd::nearbyint(held);
  return xsimd::ldexp(polynomial(kFit, held - n), xsimd::to_int(n));
#endif
}

/// 1 / (1 + e^-x)
VIT_INLINE Vec sigmoid_of(Vec x) { return Vec(1.0f) / (Vec(1.0f) + exp_of(-x)); }

/// Φ(x) - 1/2 = erf(x / √2) / 2 of the normal distribution, to 1.5e-7.
///
/// x P(x²) / Q(x²), fitted by Lawson's weighted least squares so that the greatest error of x Φ(x) is least (1.6e-8 before
/// rounding); beyond 5.4, where 1/2 - Φ(-x) rounds to 1/2, x is held.
VIT_INLINE Vec normal_cdf_minus_half(Vec x) {
  constexpr float kP[] = {0.39894205f, 0.034492061f, 0.0047223992f, 0.0001762661f, 6.4903948e-6f, 2.2776939e-8f};
  constexpr float kQ[] = {1.0f, 0.25312307f, 0.02902789f, 0.0019254907f, 7.6510281e-5f, 1.2086630e-6f};
  const Vec h = xsimd::min(Vec(5.4f), xsimd::max(Vec(-5.4f), x));
  const Vec t = h * h;
  return h * polynomial(kP, t) / polynomial(kQ, t);
}

/// x Φ(x) to 9e-5: for results that are rounded to 8 bits or to bfloat16. N vectors side by side: a core does not look far enough
/// ahead to begin a second chain of this length by itself.
template <int N>
VIT_INLINE void gelu_coarse(Vec (&x)[N]) {
#if defined(__AVX512F__)
  // x/2 + an even function, quadratic in each of 16 intervals of |x|: least greatest error in each; in the first c x², so that
  // small numbers are as exact as large ones, in the last |x|/2.
  constexpr float kWidth = 0.275f;
  alignas(64) static constexpr float kFit[3][16] = {
      {0.0f, -0.00491223671f, -0.0340794511f, -0.105671056f, -0.214658692f, -0.329474241f, -0.409580141f, -0.4288674f,
       -0.387496233f, -0.30706507f, -0.215811431f, -0.13562575f, -0.0766806975f, -0.0391871631f, -0.0181683265f, 0.0f},
      {0.0f, 0.034069777f, 0.138514578f, 0.311798334f, 0.51073527f, 0.67899752f, 0.77729273f, 0.79815471f, 0.76093209f,
       0.69600308f, 0.62953484f, 0.5763737f, 0.54052567f, 0.51946783f, 0.50850248f, 0.5f},
      {0.394819468f, 0.33420983f, 0.240252003f, 0.135157362f, 0.0442611277f, -0.0174339171f, -0.0476009659f, -0.0532362163f,
       -0.0448620468f, -0.0317551158f, -0.0196489897f, -0.0108364075f, -0.0053853346f, -0.00242826715f, -0.000997993979f, 0.0f}};
#pragma GCC unroll 6
  for (Vec& v : x) {
    const Vec a(_mm512_abs_ps(v));
    const __m512i interval = _mm512_cvttps_epi32(xsimd::min(Vec(15.0f), a * Vec(1 / kWidth)));
    const auto fit = [&](int power) __attribute__((always_inline)) {
      return Vec(_mm512_permutexvar_ps(interval, _mm512_load_ps(kFit[power])));
    };
    v = mul_add(mul_add(fit(2), a, fit(1)), a, mul_add(Vec(0.5f), v, fit(0)));
  }
#else
  // Φ(x) - 1/2 as an odd polynomial of x held to 4.2, by Lawson's weighted least squares, for |x| <= 30.
  constexpr float kFit[] = {0.39847216f,   -0.065538555f,  0.0093038892f, -0.00095210335f,
                            6.7085915e-5f, -3.0522792e-6f, 7.9955541e-8f, -9.0999474e-10f};
  Vec held[N], square[N], sum[N];
#pragma GCC unroll 6
  for (int i = 0; i < N; ++i) {
    held[i] = xsimd::min(Vec(4.2f), xsimd::max(Vec(-4.2f), x[i]));
    square[i] = held[i] * held[i];
    sum[i] = Vec(kFit[7]);
  }
#pragma GCC unroll 7
  for (int k = 6; k >= 0; --k)
#pragma GCC unroll 6
    for (int i = 0; i < N; ++i) sum[i] = mul_add(sum[i], square[i], Vec(kFit[k]));
#pragma GCC unroll 6
  for (int i = 0; i < N; ++i) x[i] = x[i] * (Vec(0.5f) + held[i] * sum[i]);
#endif
}

VIT_INLINE Vec gelu_coarse(Vec x) {
  Vec one[1] = {x};
  gelu_coarse(one);
  return one[0];
}

}  // namespace
}  // namespace vit
