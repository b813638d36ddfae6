// SPDX-License-Identifier: Apache-2.0
// The number formats that a layer multiplies in, and how its operands lie in memory.
#pragma once

#include <cstdint>
#include <cstring>

#include "ops/core/checked.h"

namespace vit {

enum class Precision { kF32, kBF16, kInt8 };

const char* precision_name(Precision precision);

/// What an 8-bit row stands for: x = scale * (q - zero_point). One for each row (token), behind its numbers.
struct RowScale {
  float scale = 1, zero_point = 0;
};

constexpr int64_t operand_size(Precision precision) {
  return precision == Precision::kF32 ? 4 : precision == Precision::kBF16 ? 2 : 1;
}

/// A row of `channels` operands, in bytes: padded to whole 64 bytes, of which the padding multiplies with zero weights. Products
/// read a row four bytes at a time: one float, two bfloat16 or four 8-bit numbers, a *step*.
constexpr int64_t operand_bytes(Precision precision, int64_t channels) {
  switch (precision) {
    case Precision::kF32: return channels * 4;
    case Precision::kBF16: return round_up(channels * 2, 64);
    default: return round_up(channels, 64);
  }
}
constexpr int64_t operand_steps(Precision precision, int64_t channels) { return operand_bytes(precision, channels) / 4; }

/// Floats that a buffer row needs to hold `channels` operands, the RowScale of 8-bit ones included.
constexpr int64_t operand_floats(Precision precision, int64_t channels) {
  return operand_steps(precision, channels) + (precision == Precision::kInt8 ? 2 : 0);
}

/// The nearest bfloat16, ties to even; NaN stays NaN.
inline uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float from_bf16(uint16_t value) {
  const uint32_t bits = uint32_t{value} << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

/// The nearest float16, ties to even; what is too large becomes infinite.
inline uint16_t to_half(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  constexpr uint32_t kInfinity = 0x7f800000, kTooLarge = 0x47800000 /* 2^16 */, kFirstNormal = 0x38800000 /* 2^-14 */;
  if (bits >= kTooLarge) return static_cast<uint16_t>(sign | (bits > kInfinity ? 0x7e00 : 0x7c00));
  if (bits < kFirstNormal) {  // beside 0.5 float32 are 2^-24 apart, as subnormal float16 are
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof bits);
    magnitude += 0.5f;
    std::memcpy(&bits, &magnitude, sizeof bits);
    return static_cast<uint16_t>(sign | (bits & 0x7ff));
  }
  constexpr uint32_t kRebias = (127u - 15u) << 23;
  return static_cast<uint16_t>(sign | (bits - kRebias + 0xfff + (bits >> 13 & 1)) >> 13);
}

}  // namespace vit
