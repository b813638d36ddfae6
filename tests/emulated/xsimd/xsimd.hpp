// SPDX-License-Identifier: Apache-2.0
// What the kernels use of xsimd 8, on 16 lanes of GCC's vector extension; and the macros by which they choose AVX-512. Those come
// after the compiler's own header, which asks for them, too, and in which they would switch on what this object may not use.
#pragma once

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512DQ__ 1
#define __AVX512VL__ 1
#define __AVX512CD__ 1
#if defined(VIT_EMULATE_AVX512VNNI)
#define __AVX512VNNI__ 1
#endif
#if defined(VIT_EMULATE_AVX512BF16)
#define __AVX512BF16__ 1
#endif
#if defined(VIT_EMULATE_AMX)
#define __AMX_TILE__ 1
#define __AMX_INT8__ 1
#define __AMX_BF16__ 1
#endif

#include "tests/emulated/amx.h"
#include "tests/emulated/avx512.h"

#define XSIMD_VERSION_MAJOR 8
#define VIT_EMULATED inline __attribute__((always_inline))

namespace xsimd {
namespace {

template <class T>
struct batch;

template <>
struct batch<float> {
  static constexpr int size = 16;
  using register_type = __m512;
  __m512 lanes;

  batch() = default;
  VIT_EMULATED batch(float value) : lanes(__m512{} + value) {}
  VIT_EMULATED batch(__m512 value) : lanes(value) {}
  VIT_EMULATED operator __m512() const { return lanes; }
  static VIT_EMULATED batch load_unaligned(const float* p) {
    batch v;
    memcpy(&v, p, sizeof v);
    return v;
  }
  static VIT_EMULATED batch load_aligned(const float* p) { return load_unaligned(p); }
  VIT_EMULATED void store_unaligned(float* p) const { memcpy(p, this, sizeof *this); }
  VIT_EMULATED void store_aligned(float* p) const { store_unaligned(p); }
  VIT_EMULATED batch& operator+=(batch b) {
    lanes += b.lanes;
    return *this;
  }
  friend VIT_EMULATED batch operator+(batch a, batch b) { return a.lanes + b.lanes; }
  friend VIT_EMULATED batch operator-(batch a, batch b) { return a.lanes - b.lanes; }
  friend VIT_EMULATED batch operator*(batch a, batch b) { return a.lanes * b.lanes; }
  friend VIT_EMULATED batch operator/(batch a, batch b) { return a.lanes / b.lanes; }
  friend VIT_EMULATED batch operator-(batch a) { return -a.lanes; }
};

template <>
struct batch<int32_t> {
  int32_t lanes[16];
};

/// As vmaxps and vminps: the second when one is NaN.
VIT_EMULATED batch<float> max(batch<float> a, batch<float> b) { return a.lanes > b.lanes ? a.lanes : b.lanes; }
VIT_EMULATED batch<float> min(batch<float> a, batch<float> b) { return a.lanes < b.lanes ? a.lanes : b.lanes; }
VIT_EMULATED batch<float> nearbyint(batch<float> v) { return vit::_mm512_roundscale_ps(v, 0); }

VIT_EMULATED batch<int32_t> to_int(batch<float> v) {
  batch<int32_t> whole;
  for (int i = 0; i < 16; ++i) whole.lanes[i] = _mm_cvttss_si32(_mm_set_ss(v.lanes[i]));
  return whole;
}
VIT_EMULATED batch<float> ldexp(batch<float> v, batch<int32_t> exponent) {
  for (int i = 0; i < 16; ++i) v.lanes[i] = ldexpf(v.lanes[i], exponent.lanes[i]);
  return v;
}

/// In xsimd's order: halves, halves of these, then neighbours.
VIT_EMULATED float hadd(batch<float> v) {
  float sum[8], half[4];
  for (int i = 0; i < 8; ++i) sum[i] = v.lanes[i + 8] + v.lanes[i];
  for (int i = 0; i < 4; ++i) half[i] = sum[i] + sum[i + 4];
  return (half[0] + half[1]) + (half[2] + half[3]);
}

}  // namespace
}  // namespace xsimd

#undef VIT_EMULATED
