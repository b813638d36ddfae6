// SPDX-License-Identifier: Apache-2.0
// Activations, one row a call. x, y: [n], n >= 1, any alignment; y may be x.
#pragma once

#include "ops/kernels/math-inl.h"

namespace vit {
namespace {

/// x/2 (1 + tanh u) = x σ(2u), u = √(2/π) (x + 0.044715 x³)     Hendrycks and Gimpel 2016, approximate form
VIT_INLINE Vec gelu_tanh(Vec x) {
  const Vec u = Vec(0.797884561f) * mul_add(Vec(0.044715f) * x * x, x, x);
  return x * sigmoid_of(u + u);
}

/// 1 - 2 / (e^2x + 1), to 1.2e-7 absolute
VIT_INLINE Vec tanh_of(Vec x) { return Vec(1.0f) - Vec(2.0f) / (exp_of(x + x) + Vec(1.0f)); }

/// Calls use(f) with the function of one vector that `kind` names; NaN comes out as NaN.
template <class Use>
VIT_INLINE void with_activation(Activation kind, Use use) {
#define VIT_LAMBDA(expression) use([](Vec x) __attribute__((always_inline)) { return expression; })
  switch (kind) {
    case Activation::kNone: return VIT_LAMBDA(x);
    case Activation::kGelu: return VIT_LAMBDA(gelu(x));  // Hendrycks and Gimpel 2016, exact form
    case Activation::kGeluTanh: return VIT_LAMBDA(gelu_tanh(x));
    case Activation::kQuickGelu: return VIT_LAMBDA(x * sigmoid_of(Vec(1.702f) * x));
    case Activation::kSilu: return VIT_LAMBDA(x * sigmoid_of(x));
    case Activation::kRelu: return VIT_LAMBDA(xsimd::max(Vec(0.0f), x));
    case Activation::kTanh: return VIT_LAMBDA(tanh_of(x));
  }
#undef VIT_LAMBDA
}

/// The same for results that are rounded to 8 bits or bfloat16 next.
template <class Use>
VIT_INLINE void with_coarse_activation(Activation kind, Use use) {
  if (kind == Activation::kGelu) return use([](Vec x) __attribute__((always_inline)) { return gelu_coarse(x); });
  with_activation(kind, use);
}

/// y = act(x)
void activation_row(const float* x, Activation kind, int64_t n, float* y) noexcept {
  with_activation(kind, [&](auto f) {
    map_row(
        y, n, [&](auto at) __attribute__((always_inline)) { return f(at(x)); });
  });
}

/// y = act(gate) * x                                            Shazeer 2020, with SiLU: SwiGLU
void gated_activation_row(const float* x, const float* gate, Activation kind, int64_t n, float* y) noexcept {
  with_activation(kind, [&](auto f) {
    map_row(
        y, n, [&](auto at) __attribute__((always_inline)) { return f(at(gate)) * at(x); });
  });
}

}  // namespace
}  // namespace vit
