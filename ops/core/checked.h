// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sizes that come from a file.
#pragma once

#include <cstdint>

namespace vit {

/// *out = a * b; false when the product does not fit, in which case *out is unspecified.
[[nodiscard]] inline bool mul_ok(uint64_t a, uint64_t b, uint64_t* out) { return !__builtin_mul_overflow(a, b, out); }
/// *out = a + b; false when the sum does not fit.
[[nodiscard]] inline bool add_ok(uint64_t a, uint64_t b, uint64_t* out) { return !__builtin_add_overflow(a, b, out); }

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }
constexpr int64_t ceil_div(int64_t n, int64_t d) { return (n + d - 1) / d; }

}  // namespace vit
