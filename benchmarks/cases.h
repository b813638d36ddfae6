// SPDX-License-Identifier: Apache-2.0
// How a kernel is timed: its arguments, its cost, and what it should have computed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/bench.h"
#include "ops/kernel_table.h"

namespace vit::bench {

struct Case {
  std::string shape;
  double operations = 0, bytes = 0;  ///< of a call: floating-point operations, memory that it must read and write
  std::function<void()> run;         ///< one call
  std::function<bool()> right;       ///< whether the last call's result agrees with plain loops
};

using MakeCase = Case (*)(const KernelTable& kernels);
struct NamedCase {
  const char* kernel;
  MakeCase make;
};
/// One line a kernel; ops/kernel_list.inc says which there must be.
std::vector<NamedCase> row_cases();
std::vector<NamedCase> move_cases();
std::vector<NamedCase> matmul_cases();
std::vector<NamedCase> narrow_cases();

/// The same numbers in every run, between -1 and 1.
std::vector<float> numbers(int64_t count, uint32_t seed);
std::vector<uint8_t> bytes(int64_t count, uint32_t seed);

/// Far above what rounding does to sums of a thousand terms, far below what a wrong kernel does; tests/kernels has the bounds
/// that each kernel really keeps. `size`: the sum of the terms' magnitudes.
inline bool near(double found, double expected, double size) {
  return std::fabs(found - expected) <= 1e-5 * std::max(size, std::fabs(expected)) + 1e-30;
}

struct Contender {
  std::string name;
  double operations = 0;
  std::function<void()> run;
};
/// Times two in turn, for `seconds` in all.
ContestResult contest(const std::string& about, const Contender& ours, const Contender& other, bool right, double seconds);

/// Microseconds of a call of each of `runs`, in turn, until `seconds` are over; short calls are timed many at once.
std::vector<Summary> time_in_turn(const std::vector<std::function<void()>>& runs, double seconds);

}  // namespace vit::bench
