// SPDX-License-Identifier: Apache-2.0
// The intrinsics of AVX-512, VNNI and BF16 that the kernels use, in GCC's vector extension. They stand where the kernels look
// first, so that the compiler's own are hidden. Meanings after Intel's Software Developer's Manual, volume 2.
#pragma once

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VIT_EMULATED inline __attribute__((always_inline))

// Without optimisation these are macros.
#undef _mm512_cmp_ps_mask
#undef _mm512_roundscale_ps
#undef _mm512_slli_epi32
#undef _mm512_srli_epi32

namespace vit {
namespace {
namespace emulated {

typedef int32_t Int32 __attribute__((vector_size(64)));
typedef uint32_t Word __attribute__((vector_size(64)));
typedef int16_t Int16 __attribute__((vector_size(64)));
typedef uint16_t Half __attribute__((vector_size(64)));
typedef int8_t Int8 __attribute__((vector_size(64)));
typedef int8_t Int8x16 __attribute__((vector_size(16)));
typedef uint8_t UInt8x16 __attribute__((vector_size(16)));
typedef int16_t Int16x16 __attribute__((vector_size(32)));
typedef uint16_t UInt16x16 __attribute__((vector_size(32)));

/// What a CPU answers with an exception, and what is not written here.
VIT_EMULATED void require(bool condition) {
  if (!condition) __builtin_trap();
}

/// The instructions of BF16 treat denormals as zero, and give none.
VIT_EMULATED __m512 flush(__m512 v) {
  const Word bits = (Word)v;
  return (__m512)((bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits);
}

}  // namespace emulated

VIT_EMULATED __m512i _mm512_setzero_si512() { return __m512i{}; }
VIT_EMULATED __m512i _mm512_set1_epi8(char value) { return (__m512i)(emulated::Int8{} + value); }
VIT_EMULATED __m512i _mm512_set1_epi16(short value) { return (__m512i)(emulated::Int16{} + value); }
VIT_EMULATED __m512i _mm512_set1_epi32(int value) { return (__m512i)(emulated::Int32{} + value); }
VIT_EMULATED __m512i _mm512_castps_si512(__m512 v) { return (__m512i)v; }
VIT_EMULATED __m512 _mm512_castsi512_ps(__m512i v) { return (__m512)v; }

VIT_EMULATED __m512i _mm512_loadu_si512(const void* p) {
  __m512i v;
  memcpy(&v, p, sizeof v);
  return v;
}
VIT_EMULATED void _mm512_storeu_si512(void* p, __m512i v) { memcpy(p, &v, sizeof v); }
VIT_EMULATED __m512 _mm512_mask_loadu_ps(__m512 v, __mmask16 mask, const void* p) {
  for (int i = 0; i < 16; ++i)
    if (mask >> i & 1) v[i] = static_cast<const float*>(p)[i];
  return v;
}
VIT_EMULATED void _mm512_mask_storeu_ps(void* p, __mmask16 mask, __m512 v) {
  for (int i = 0; i < 16; ++i)
    if (mask >> i & 1) static_cast<float*>(p)[i] = v[i];
}

VIT_EMULATED void _mm512_mask_storeu_epi16(void* p, __mmask32 mask, __m512i v) {
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) memcpy(static_cast<char*>(p) + 2 * i, reinterpret_cast<const char*>(&v) + 2 * i, 2);
}
VIT_EMULATED void _mm256_mask_storeu_epi16(void* p, __mmask16 mask, __m256i v) {
  for (int i = 0; i < 16; ++i)
    if (mask >> i & 1) memcpy(static_cast<char*>(p) + 2 * i, reinterpret_cast<const char*>(&v) + 2 * i, 2);
}

VIT_EMULATED __m512i _mm512_and_si512(__m512i a, __m512i b) { return a & b; }
VIT_EMULATED __m512i _mm512_or_si512(__m512i a, __m512i b) { return a | b; }
VIT_EMULATED __m512i _mm512_add_epi16(__m512i a, __m512i b) { return (__m512i)((emulated::Half)a + (emulated::Half)b); }
VIT_EMULATED __m512i _mm512_sub_epi16(__m512i a, __m512i b) { return (__m512i)((emulated::Half)a - (emulated::Half)b); }
VIT_EMULATED __m512i _mm512_max_epi16(__m512i a, __m512i b) {
  const auto x = (emulated::Int16)a, y = (emulated::Int16)b;
  return (__m512i)(x > y ? x : y);
}
VIT_EMULATED __m512i _mm512_abs_epi8(__m512i v) {
  const auto x = (emulated::Int8)v;
  return (__m512i)(x < 0 ? -x : x);
}
VIT_EMULATED __mmask32 _mm512_cmpgt_epi16_mask(__m512i a, __m512i b) {
  const auto above = (emulated::Int16)a > (emulated::Int16)b;
  __mmask32 mask = 0;
  for (int i = 0; i < 32; ++i) mask |= static_cast<__mmask32>(above[i] & 1) << i;
  return mask;
}
VIT_EMULATED __m512i _mm512_add_epi32(__m512i a, __m512i b) { return (__m512i)((emulated::Word)a + (emulated::Word)b); }
VIT_EMULATED __m512i _mm512_slli_epi32(__m512i v, unsigned bits) { return (__m512i)((emulated::Word)v << bits); }
VIT_EMULATED __m512i _mm512_srli_epi32(__m512i v, unsigned bits) { return (__m512i)((emulated::Word)v >> bits); }
VIT_EMULATED __m512i _mm512_max_epi32(__m512i a, __m512i b) {
  const auto x = (emulated::Int32)a, y = (emulated::Int32)b;
  return (__m512i)(x > y ? x : y);
}
VIT_EMULATED __m512i _mm512_mask_or_epi32(__m512i from, __mmask16 mask, __m512i a, __m512i b) {
  auto v = (emulated::Word)from;
  const auto either = (emulated::Word)(a | b);
  for (int i = 0; i < 16; ++i)
    if (mask >> i & 1) v[i] = either[i];
  return (__m512i)v;
}
VIT_EMULATED __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int predicate) {
  emulated::require(predicate == _CMP_UNORD_Q);
  unsigned mask = 0;
  for (int i = 0; i < 16; ++i) mask |= static_cast<unsigned>(__builtin_isunordered(a[i], b[i])) << i;
  return static_cast<__mmask16>(mask);
}

VIT_EMULATED __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  __m256 x[2], y[2], sum[2];
  memcpy(x, &a, sizeof a), memcpy(y, &b, sizeof b), memcpy(sum, &c, sizeof c);
  for (int i = 0; i < 2; ++i) sum[i] = _mm256_fmadd_ps(x[i], y[i], sum[i]);
  memcpy(&c, sum, sizeof c);
  return c;
}
VIT_EMULATED float _mm512_reduce_max_ps(__m512 v) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) v[i] = v[i] > v[i + half] ? v[i] : v[i + half];
  return v[0];
}
VIT_EMULATED __m512 _mm512_roundscale_ps(__m512 v, int how) {
  emulated::require((how & ~_MM_FROUND_NO_EXC) == _MM_FROUND_TO_NEAREST_INT);
  for (int i = 0; i < 16; ++i) v[i] = nearbyintf(v[i]);
  return v;
}
/// v * 2^floor(exponent); floats end before 2^±300.
VIT_EMULATED __m512 _mm512_scalef_ps(__m512 v, __m512 exponent) {
  for (int i = 0; i < 16; ++i) {
    const float e = floorf(exponent[i]);
    v[i] = e != e ? e : ldexpf(v[i], static_cast<int>(e < -300 ? -300 : e > 300 ? 300 : e));
  }
  return v;
}
VIT_EMULATED __m512 _mm512_fnmadd_ps(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(-a, b, c); }

VIT_EMULATED __m512 _mm512_cvtepi32_ps(__m512i v) { return __builtin_convertvector((emulated::Int32)v, __m512); }
VIT_EMULATED __m512i _mm512_cvtps_epi32(__m512 v) {
  emulated::Int32 whole;
  for (int i = 0; i < 16; ++i) whole[i] = _mm_cvtss_si32(_mm_set_ss(v[i]));  // to nearest; 0x80000000 for what does not fit
  return (__m512i)whole;
}
VIT_EMULATED __m512i _mm512_cvttps_epi32(__m512 v) {
  emulated::Int32 whole;
  for (int i = 0; i < 16; ++i) whole[i] = _mm_cvttss_si32(_mm_set_ss(v[i]));
  return (__m512i)whole;
}
VIT_EMULATED __m512i _mm512_cvtepu8_epi32(__m128i v) {
  return (__m512i) __builtin_convertvector((emulated::UInt8x16)v, emulated::Int32);
}
VIT_EMULATED __m512i _mm512_cvtepu16_epi32(__m256i v) {
  return (__m512i) __builtin_convertvector((emulated::UInt16x16)v, emulated::Int32);
}
VIT_EMULATED __m256i _mm512_cvtepi32_epi16(__m512i v) {
  return (__m256i) __builtin_convertvector((emulated::Int32)v, emulated::Int16x16);
}
VIT_EMULATED __m128i _mm512_cvtepi32_epi8(__m512i v) {
  return (__m128i) __builtin_convertvector((emulated::Int32)v, emulated::Int8x16);
}
/// Quarter by quarter, with saturation, as its halves.
VIT_EMULATED __m512i _mm512_packs_epi32(__m512i a, __m512i b) {
  __m256i x[2], y[2];
  memcpy(x, &a, sizeof a), memcpy(y, &b, sizeof b);
  for (int i = 0; i < 2; ++i) x[i] = _mm256_packs_epi32(x[i], y[i]);
  memcpy(&a, x, sizeof a);
  return a;
}
VIT_EMULATED __m512i _mm512_packus_epi16(__m512i a, __m512i b) {
  __m256i x[2], y[2];
  memcpy(x, &a, sizeof a), memcpy(y, &b, sizeof b);
  for (int i = 0; i < 2; ++i) x[i] = _mm256_packus_epi16(x[i], y[i]);
  memcpy(&a, x, sizeof a);
  return a;
}
VIT_EMULATED __m512i _mm512_permutexvar_epi32(__m512i order, __m512i v) {
  emulated::Int32 out;
  for (int i = 0; i < 16; ++i) out[i] = ((emulated::Int32)v)[((emulated::Int32)order)[i] & 15];
  return (__m512i)out;
}
VIT_EMULATED __m512 _mm512_load_ps(const void* p) {
  __m512 v;
  memcpy(&v, p, sizeof v);
  return v;
}
VIT_EMULATED __m512 _mm512_abs_ps(__m512 v) { return (__m512)((emulated::Word)v & 0x7fffffffu); }
VIT_EMULATED __m512 _mm512_permutexvar_ps(__m512i order, __m512 v) { return (__m512)_mm512_permutexvar_epi32(order, (__m512i)v); }
VIT_EMULATED __m128i _mm512_cvtusepi32_epi8(__m512i v) {
  const auto words = (emulated::Word)v, most = emulated::Word{} + 255;
  return _mm512_cvtepi32_epi8((__m512i)(words < most ? words : most));
}

/// Pairs of u8 x s8, summed with saturation in 16 bits.
VIT_EMULATED __m512i _mm512_maddubs_epi16(__m512i a, __m512i b) {
  using emulated::Half, emulated::Int16;
  const auto first = (Int16)((Half)a & 255) * ((Int16)((Half)b << 8) >> 8), second = (Int16)((Half)a >> 8) * ((Int16)b >> 8);
  const auto sum = (Int16)((Half)first + (Half)second), limit = (first >> 15) ^ 0x7fff;
  return (__m512i)(((first ^ sum) & (second ^ sum)) < 0 ? limit : sum);
}
/// Pairs of s16 x s16, summed in 32 bits.
VIT_EMULATED __m512i _mm512_madd_epi16(__m512i a, __m512i b) {
  using emulated::Int32, emulated::Word;
  const Int32 first = ((Int32)((Word)a << 16) >> 16) * ((Int32)((Word)b << 16) >> 16);
  return (__m512i)((Word)first + (Word)(((Int32)a >> 16) * ((Int32)b >> 16)));
}
/// Four u8 x s8 and the sum so far, in 32 bits.
VIT_EMULATED __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
  using emulated::Int32, emulated::Word;
  auto total = (Word)sum;
  for (int i = 0; i < 4; ++i) {
    const auto x = (Int32)((Word)a >> (8 * i) & 255), w = (Int32)((Word)b << (24 - 8 * i)) >> 24;
    total += (Word)(x * w);
  }
  return (__m512i)total;
}

/// Round to nearest even; NaN stays NaN, quiet.
VIT_EMULATED __m256bh _mm512_cvtneps_pbh(__m512 v) {
  using emulated::Word;
  const auto bits = (Word)emulated::flush(v);
  const Word rounded = bits + ((bits >> 16 & 1) + 0x7fff);
  const Word whole = (Word)(v != v) != 0 ? bits | 0x400000u : rounded;
  return (__m256bh) __builtin_convertvector(whole >> 16, emulated::UInt16x16);
}
VIT_EMULATED __m512bh _mm512_cvtne2ps_pbh(__m512 high, __m512 low) {
  const __m256bh halves[2] = {_mm512_cvtneps_pbh(low), _mm512_cvtneps_pbh(high)};
  __m512bh v;
  memcpy(&v, halves, sizeof v);
  return v;
}
/// Two bf16 x bf16 and the sum so far, the odd one first, each rounded once.
VIT_EMULATED __m512 _mm512_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b) {
  using emulated::flush, emulated::Word;
  const auto odd = [](__m512bh v) { return flush((__m512)((Word)v & 0xffff0000u)); };
  const auto even = [](__m512bh v) { return flush((__m512)((Word)v << 16)); };
  sum = flush(_mm512_fmadd_ps(odd(a), odd(b), flush(sum)));
  return flush(_mm512_fmadd_ps(even(a), even(b), sum));
}

}  // namespace
}  // namespace vit

#undef VIT_EMULATED
