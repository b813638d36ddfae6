// SPDX-License-Identifier: Apache-2.0
// Sums of 8-bit products in 16 bits, where the CPU has no wider ones: vpmaddubsw.
#pragma once

#include "ops/kernels/finish-inl.h"

namespace vit {
namespace {

#if defined(__AVX512F__)
constexpr int kDotRows = 6;
#else
constexpr int kDotRows = 4;
#endif
constexpr int kDotVectors = kPanelColumns / static_cast<int>(kLanes);

/// Where sums are as wide as they must be.
struct NeverWrapped {
  VIT_INLINE void prepare(const uint8_t*, int64_t) {}
};

#if defined(__AVX2__) && !defined(__AVX512VNNI__)

#if defined(__AVX512F__)
VIT_INLINE Bits zero_bits() { return _mm512_setzero_si512(); }
VIT_INLINE Bits add16(Bits a, Bits b) { return _mm512_add_epi16(a, b); }
VIT_INLINE Bits subtract16(Bits a, Bits b) { return _mm512_sub_epi16(a, b); }
VIT_INLINE Bits max16(Bits a, Bits b) { return _mm512_max_epi16(a, b); }
VIT_INLINE Bits add32(Bits a, Bits b) { return _mm512_add_epi32(a, b); }
VIT_INLINE Bits multiply_bytes(Bits x, Bits w) { return _mm512_maddubs_epi16(x, w); }
VIT_INLINE Bits add_pairs(Bits v) { return _mm512_madd_epi16(v, _mm512_set1_epi16(1)); }
VIT_INLINE Bits magnitudes(Bits v) { return _mm512_abs_epi8(v); }
VIT_INLINE Bits bytes_of(int8_t value) { return _mm512_set1_epi8(value); }
VIT_INLINE bool any_above(Bits v, int16_t limit) { return _mm512_cmpgt_epi16_mask(v, _mm512_set1_epi16(limit)) != 0; }
#else
VIT_INLINE Bits zero_bits() { return _mm256_setzero_si256(); }
VIT_INLINE Bits add16(Bits a, Bits b) { return _mm256_add_epi16(a, b); }
VIT_INLINE Bits subtract16(Bits a, Bits b) { return _mm256_sub_epi16(a, b); }
VIT_INLINE Bits max16(Bits a, Bits b) { return _mm256_max_epi16(a, b); }
VIT_INLINE Bits add32(Bits a, Bits b) { return _mm256_add_epi32(a, b); }
VIT_INLINE Bits multiply_bytes(Bits x, Bits w) { return _mm256_maddubs_epi16(x, w); }
VIT_INLINE Bits add_pairs(Bits v) { return _mm256_madd_epi16(v, _mm256_set1_epi16(1)); }
VIT_INLINE Bits magnitudes(Bits v) { return _mm256_abs_epi8(v); }
VIT_INLINE Bits bytes_of(int8_t value) { return _mm256_set1_epi8(value); }
VIT_INLINE bool any_above(Bits v, int16_t limit) {
  return _mm256_movemask_epi8(_mm256_cmpgt_epi16(v, _mm256_set1_epi16(limit))) != 0;
}
#endif

/// To widen the sums of each vpmaddubsw takes two more instructions; so four steps' are added in 16 bits first, and may wrap. An
/// activation a is 0 .. 127: since |a - 64| <= 64, the sum of a lane's eight products a w lies within 64 S of its centre
/// 64 (w0 + ... + w7), where S = |w0| + ... + |w7|. If 64 S < 2^15, the sum less the centre is what its 16 bits say. Where some
/// lane's S is larger, two steps are added at a time, which 64 S = 64 * 4 * 127 allows for all weights: none is -128. The centres
/// are where the 32-bit sums start. Sums are exact, so their order is free: those of four steps come first.
class WrappedSums {
 public:
  /// Of one panel of `steps` steps.
  VIT_INLINE void prepare(const uint8_t* w, int64_t steps) {
    groups_ = steps / 4 < kMostGroups ? steps / 4 : kMostGroups;
    fours_ = pairs_ = 0;
    Bits start[kDotVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kDotVectors; ++j) start[j] = zero_bits();
    for (int64_t g = 0; g < groups_; ++g, w += 16 * kPanelColumns) {
      Bits greatest = zero_bits();
#pragma GCC unroll 4
      for (int j = 0; j < kDotVectors; ++j) {
        const Bits first = centre(w, 0, j), second = centre(w, 2, j);
        start[j] = add32(start[j], add32(add_pairs(first), add_pairs(second)));
        store_bits(minus_centre_[g] + j * 2 * kLanes, subtract16(zero_bits(), add16(first, second)));
        Bits size = zero_bits();
#pragma GCC unroll 4
        for (int s = 0; s < 4; ++s) size = add16(size, multiply_bytes(magnitudes(weights(w, s, j)), bytes_of(1)));
        greatest = max16(greatest, size);
      }
      if (any_above(greatest, (1 << 15) / 64 - 1))
        pair_[pairs_++] = static_cast<uint16_t>(2 * g), pair_[pairs_++] = static_cast<uint16_t>(2 * g + 1);
      else
        four_[fours_++] = static_cast<uint16_t>(g);
    }
#pragma GCC unroll 4
    for (int j = 0; j < kDotVectors; ++j) store_bits(start_ + j * kLanes, start[j]);
  }

  int64_t steps() const { return 4 * groups_; }

  /// acc = the products of steps() steps. x: rows `stride` apart; w: the panel; between() is called for each group.
  template <int R, int J, class Between>
  VIT_INLINE void multiply(Bits (&acc)[R][J], const uint8_t* x, int64_t stride, const uint8_t* w, Between between) const {
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j)
#pragma GCC unroll 6
      for (int i = 0; i < R; ++i) acc[i][j] = load_bits(start_ + j * kLanes);

    for (const uint16_t *four = four_, *const end = four + fours_; four != end; ++four) {
      between();
      const uint8_t *at = w + *four * (16 * kPanelColumns), *row = x + *four * 16;
      const int16_t* minus_centre = minus_centre_[*four];
#pragma GCC unroll 6
      for (int i = 0; i < R; ++i, row += stride) {
        // Or GCC reads what all rows need into registers, and has none left for the sums.
        asm("" : "+r"(at), "+r"(row), "+r"(minus_centre));
#pragma GCC unroll 4
        for (int j = 0; j < J; ++j) {
          Bits products = load_bits(minus_centre + j * 2 * kLanes);
#pragma GCC unroll 4
          for (int step = 0; step < 4; ++step)
            products = add16(products, multiply_bytes(broadcast_at(row + 4 * step), weights(at, step, j)));
          acc[i][j] = add32(acc[i][j], add_pairs(products));
        }
      }
    }
    for (const uint16_t *pair = pair_, *const end = pair + pairs_; pair != end; ++pair) {
      if (*pair % 2 == 0) between();
      const uint8_t *at = w + *pair * (8 * kPanelColumns), *row = x + *pair * 8;
      Bits centres[J];
#pragma GCC unroll 4
      for (int j = 0; j < J; ++j) centres[j] = centre(at, 0, j);
#pragma GCC unroll 6
      for (int i = 0; i < R; ++i, row += stride) {
        asm("" : "+r"(at), "+r"(row));
        const Bits first = broadcast_at(row), second = broadcast_at(row + 4);
#pragma GCC unroll 4
        for (int j = 0; j < J; ++j) {
          const Bits products = add16(multiply_bytes(first, weights(at, 0, j)), multiply_bytes(second, weights(at, 1, j)));
          acc[i][j] = add32(acc[i][j], add_pairs(subtract16(products, centres[j])));
        }
      }
    }
  }

 private:
  static constexpr int64_t kMostGroups = 256;  ///< a depth of 4,096; what lies behind is summed step by step

  /// Of vector j of a step.
  static VIT_INLINE Bits weights(const uint8_t* w, int step, int j) {
    return load_bits(w + (step * kDotVectors + j) * 4 * kLanes);
  }
  /// Of two steps.
  static VIT_INLINE Bits centre(const uint8_t* w, int step, int j) {
    return add16(multiply_bytes(bytes_of(64), weights(w, step, j)), multiply_bytes(bytes_of(64), weights(w, step + 1, j)));
  }

  int64_t groups_, fours_, pairs_;
  uint16_t four_[kMostGroups], pair_[2 * kMostGroups];  ///< which groups, which halves of groups
  alignas(64) int32_t start_[kPanelColumns];
  alignas(64) int16_t minus_centre_[kMostGroups][2 * kPanelColumns];
};

#else
using WrappedSums = NeverWrapped;
#endif

/// To prepare a panel takes as long as some four rows, which these win back.
constexpr int64_t kRowsWorthWrapping = 12;

}  // namespace
}  // namespace vit
