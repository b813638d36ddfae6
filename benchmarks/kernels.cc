// SPDX-License-Identifier: Apache-2.0
// The loop over kernels, and the clock.
#include <chrono>
#include <map>

#include "benchmarks/cases.h"

namespace vit::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kShortestUs = 20;  ///< of what is timed at once: the clock's own 50 ns are then a quarter of a percent
constexpr size_t kFewest = 5, kMost = 2000;

double microseconds(const std::function<void()>& run, int64_t times) {
  const auto start = Clock::now();
  for (int64_t i = 0; i < times; ++i) run();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / static_cast<double>(times);
}

int64_t calls_at_once(const std::function<void()>& run) {
  int64_t times = 1;
  while (microseconds(run, times) * static_cast<double>(times) < kShortestUs) times *= 2;
  return times;
}

uint32_t next(uint32_t& state) { return (state = state * 1664525u + 1013904223u) >> 8; }

}  // namespace

std::vector<float> numbers(int64_t count, uint32_t seed) {
  std::vector<float> out(static_cast<size_t>(count));
  for (float& value : out) value = static_cast<float>(next(seed)) / 8388608.0f - 1.0f;
  return out;
}

std::vector<uint8_t> bytes(int64_t count, uint32_t seed) {
  std::vector<uint8_t> out(static_cast<size_t>(count));
  for (uint8_t& value : out) value = static_cast<uint8_t>(next(seed) >> 8);
  return out;
}

std::vector<Summary> time_in_turn(const std::vector<std::function<void()>>& runs, double seconds) {
  std::vector<int64_t> at_once;
  for (const auto& run : runs) at_once.push_back(calls_at_once(run));
  std::vector<std::vector<double>> times(runs.size());
  const auto start = Clock::now();
  const auto over = [&] { return std::chrono::duration<double>(Clock::now() - start).count() > seconds; };
  while (times[0].size() < kFewest || (times[0].size() < kMost && !over()))
    for (size_t i = 0; i < runs.size(); ++i) times[i].push_back(microseconds(runs[i], at_once[i]));
  std::vector<Summary> out;
  for (auto& of_one : times) out.push_back(summarise(std::move(of_one)));
  return out;
}

std::vector<KernelResult> time_kernels(const std::string& isa, double seconds) {
  const KernelTable& table = kernels(choose_isa(isa));
  std::map<std::string, MakeCase> cases;
  for (const auto& list : {matmul_cases(), narrow_cases(), row_cases(), move_cases()})
    for (const NamedCase& named : list) cases[named.kernel] = named.make;

  std::vector<KernelResult> out;
#define VIT_KERNEL(name, ...) out.push_back({#name, "", false, false, 0, 0, {}});
#include "ops/kernel_list.inc"
#undef VIT_KERNEL
  for (KernelResult& result : out) {
    const auto found = cases.find(result.name);
    if (found == cases.end()) continue;
    const Case one = found->second(table);
    result.has_case = true;
    result.shape = one.shape, result.operations = one.operations, result.bytes = one.bytes;
    one.run();
    result.right = one.right();
    if (result.right) result.us = time_in_turn({one.run}, seconds / static_cast<double>(out.size()))[0];
  }
  return out;
}

ContestResult contest(const std::string& about, const Contender& ours, const Contender& other, bool right, double seconds) {
  ContestResult out{about, {ours.name, ours.operations, {}}, {other.name, other.operations, {}}, right};
  if (!right) return out;
  const std::vector<Summary> us = time_in_turn({ours.run, other.run}, seconds);
  out.ours.us = us[0], out.other.us = us[1];
  return out;
}

}  // namespace vit::bench
