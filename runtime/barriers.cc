// SPDX-License-Identifier: Apache-2.0
#include "runtime/barriers.h"

#include <algorithm>

namespace vit {

namespace {

/// What threads have done to a buffer since the last barrier.
struct Since {
  bool touched = false, written = false, written_by_others = false, read_by_others = false;
};

}  // namespace

std::vector<bool> place_barriers(const std::vector<StepAccess>& steps, int buffers, bool many) {
  std::vector<Since> since(static_cast<size_t>(buffers));
  std::vector<bool> barrier(steps.size());
  const auto of = [&](int buffer) -> Since& { return since[static_cast<size_t>(buffer)]; };
  for (size_t s = 0; s < steps.size(); ++s) {
    const StepAccess& step = steps[s];
    const bool shares = step.columns == Columns::kShared || (many && step.columns == Columns::kSharedByMany);
    const auto from_others = [&](const Access& read) { return shares || read.scope == Scope::kImage; };
    bool wait = step.selects || (s > 0 && steps[s - 1].selects);
    for (const Access& read : step.reads)
      wait |= of(read.buffer).written_by_others || (from_others(read) && of(read.buffer).written);
    for (const int write : step.writes)
      wait |= of(write).written_by_others || of(write).read_by_others || (shares && of(write).touched);
    if (wait) since.assign(since.size(), Since{});
    barrier[s] = wait;
    for (const Access& read : step.reads) of(read.buffer).touched = true, of(read.buffer).read_by_others |= from_others(read);
    for (const int write : step.writes) of(write).touched = of(write).written = true, of(write).written_by_others |= shares;
  }
  return barrier;
}

std::vector<std::vector<int>> dead_after(const std::vector<StepAccess>& steps, const std::vector<bool>& candidates) {
  std::vector<std::vector<int>> dead(steps.size());
  for (size_t b = 0; b < candidates.size(); ++b) {
    if (!candidates[b]) continue;
    size_t last = steps.size();
    bool shared = false;
    for (size_t s = 0; s < steps.size(); ++s) {
      for (const Access& read : steps[s].reads)
        if (static_cast<size_t>(read.buffer) == b)
          last = s, shared |= read.scope == Scope::kImage || steps[s].columns == Columns::kShared;
      if (std::count(steps[s].writes.begin(), steps[s].writes.end(), static_cast<int>(b))) last = s;
    }
    if (last < steps.size() && !shared) dead[last].push_back(static_cast<int>(b));
  }
  return dead;
}

}  // namespace vit
