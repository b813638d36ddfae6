// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <limits>

#include "benchmarks/bench.h"
#include "ops/core/team.h"
#include "ops/kernel_table.h"

namespace vit::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSteps = 100000;  ///< about half a millisecond at 3 GHz with two units of latency 4
constexpr int kRuns = 100;

struct alignas(128) Best {
  double seconds = std::numeric_limits<double>::infinity();
};

struct Job {
  const KernelTable* kernels;
  std::vector<Best> best;
};

/// Each thread keeps its own best, so that one moment of other work on the machine does not count.
void work(void* context, int thread) noexcept {
  Job& job = *static_cast<Job*>(context);
  volatile float factor = 0.5f, shift = 1.0f, sum;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = Clock::now();
    sum = job.kernels->multiply_add_chains(factor, shift, kSteps);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    Best& best = job.best[static_cast<size_t>(thread)];
    best.seconds = std::min(best.seconds, seconds);
  }
  static_cast<void>(sum);
}

}  // namespace

double peak_gflops(const std::string& isa, int threads) {
  Job job{&kernels(choose_isa(isa)), std::vector<Best>(static_cast<size_t>(threads))};
  make_team(default_team(), threads)->run(threads, work, &job);
  double sum = 0;
  for (const Best& best : job.best)
    sum += 2e-9 * job.kernels->lanes * kMultiplyAddChains * static_cast<double>(kSteps) / best.seconds;
  return sum;
}

}  // namespace vit::bench
