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

/// 2^x for x <= 0: 2^n p(x - n), n the nearest whole number.
template <int N>
VIT_INLINE Vec exp2_by(const float (&fit)[N], Vec x) {
#if defined(__AVX512F__)
  const Vec n(_mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  return Vec(_mm512_scalef_ps(polynomial(fit, x - n), n));
#else
  const Vec held = xsimd::max(Vec(-126.0f), x), n = xsimd::nearbyint(held);
  return xsimd::ldexp(polynomial(fit, held - n), xsimd::to_int(n));
#endif
}

/// The same to 1.7e-7 relative. Of all polynomials of this degree that are 1 at 0 the one of least relative error, 9e-8.
VIT_INLINE Vec exp2_of(Vec x) {
  constexpr float kFit[] = {1.0f, 0.693147f, 0.24022242f, 0.055507336f, 0.009671513f, 0.0013264727f};
  return exp2_by(kFit, x);
}

/// The same to 7.5e-5 relative, a twentieth of a bfloat16's last place: the cubic of least relative error.
VIT_INLINE Vec exp2_coarse(Vec x) {
  constexpr float kFit[] = {0.99992812f, 0.69326103f, 0.24261093f, 0.05517118f};
  return exp2_by(kFit, x);
}

/// 1 / (1 + e^-x)
VIT_INLINE Vec sigmoid_of(Vec x) { return Vec(1.0f) / (Vec(1.0f) + exp_of(-x)); }

/// x Φ(x), Φ of the normal distribution to 1.5e-7.
VIT_INLINE Vec gelu(Vec x) {
#if defined(__AVX512F__)
  // x/2 + |x| (Φ(|x|) - 1/2). In each of 16 intervals of |x|, 1 / kScale wide, a polynomial of the distance from its middle, in
  // intervals: the greatest error of |x| (Φ - 1/2), 2.3e-9 before rounding, is least by Lawson's weighted least squares. Beyond
  // 5.4, where Φ rounds to 1, |x| is held.
  constexpr float kScale = 2.868f, kWhole = 12582912.0f;  // 1.5 * 2^23: what is added to it is rounded to a whole number
  alignas(64) static constexpr float kFit[6][16] = {
      {0.0f, 0.136333346f, 0.257208139f, 0.352225274f, 0.418446869f, 0.459365934f, 0.481783003f, 0.492671102f, 0.497359723f,
       0.49914968f, 0.499755532f, 0.499937326f, 0.499985695f, 0.499997079f, 0.499999464f, 0.499999911f},
      {0.139101207f, 0.130897507f, 0.10907691f, 0.0804887637f, 0.0525942929f, 0.0304328743f, 0.0155936666f, 0.0070754569f,
       0.00284290058f, 0.0010115091f, 0.000318697741f, 8.89178918e-05f, 2.19685044e-05f, 4.80632434e-06f, 9.31165914e-07f,
       1.59750655e-07f},
      {4.7745786e-08f, -0.00795674324f, -0.0132607538f, -0.0146779343f, -0.0127882371f, -0.009249717f, -0.00568744447f,
       -0.00301071699f, -0.00138249912f, -0.000553370162f, -0.000193715765f, -5.94484663e-05f, -1.60214204e-05f, -3.79682888e-06f,
       -7.9203943e-07f, -1.45556285e-07f},
      {-0.00281885243f, -0.00232962868f, -0.00113526371f, 0.000153582849f, 0.00100723922f, 0.00125752669f, 0.00106690428f,
       0.000710689637f, 0.000390605041f, 0.00018133827f, 7.20502794e-05f, 2.47013832e-05f, 7.34710829e-06f, 1.9032334e-06f,
       4.30600181e-07f, 8.52691073e-08f},
      {1.00655905e-06f, 0.000230419057f, 0.000335620251f, 0.000282226247f, 0.000136786635f, -2.8172758e-06f, -7.84847143e-05f,
       -8.97766295e-05f, -6.6911467e-05f, -3.85040366e-05f, -1.8095845e-05f, -7.13108921e-06f, -2.39139445e-06f, -6.88777391e-07f,
       -1.71452996e-07f, -3.70489062e-08f},
      {5.01807845e-05f, 3.60177182e-05f, 3.99214605e-06f, -2.33549181e-05f, -3.14359204e-05f, -2.23650932e-05f, -7.89661954e-06f,
       2.32676621e-06f, 5.85274665e-06f, 5.07696313e-06f, 3.05843014e-06f, 1.44308171e-06f, 5.58221757e-07f, 1.81143022e-07f,
       4.99794055e-08f, 1.18277752e-08f}};
  const Vec size(_mm512_abs_ps(x)), held = xsimd::min(Vec(5.4f), size);
  const Vec interval = mul_add(held, Vec(kScale), Vec(kWhole));
  const Vec t = mul_add(held, Vec(kScale), Vec(kWhole) - interval);
  const auto fit = [&](int power) __attribute__((always_inline)) {
    return Vec(_mm512_permutexvar_ps(_mm512_castps_si512(interval), _mm512_load_ps(kFit[power])));
  };
  Vec p = fit(5);
#pragma GCC unroll 5
  for (int power = 4; power >= 0; --power) p = mul_add(p, t, fit(power));
  return mul_add(size, p, Vec(0.5f) * x);
#else
  // Φ - 1/2 = x P(x²) / Q(x²), fitted by Lawson's weighted least squares so that the greatest error of x Φ(x) is least (1.6e-8
  // before rounding); beyond 5.4, where 1/2 - Φ(-x) rounds to 1/2, x is held.
  constexpr float kP[] = {0.39894205f, 0.034492061f, 0.0047223992f, 0.0001762661f, 6.4903948e-6f, 2.2776939e-8f};
  constexpr float kQ[] = {1.0f, 0.25312307f, 0.02902789f, 0.0019254907f, 7.6510281e-5f, 1.2086630e-6f};
  const Vec h = xsimd::min(Vec(5.4f), xsimd::max(Vec(-5.4f), x));
  const Vec t = h * h;
  return x * (Vec(0.5f) + h * polynomial(kP, t) / polynomial(kQ, t));
#endif
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
