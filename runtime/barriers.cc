// SPDX-License-Identifier: Apache-2.0
#include "runtime/barriers.h"

#include <algorithm>

namespace vit {

std::vector<bool> place_barriers(const std::vector<StepAccess>& steps, int buffers) {
  const auto count = static_cast<size_t>(buffers);
  std::vector<bool> written(count), read_by_others(count), barrier(steps.size());
  for (size_t s = 0; s < steps.size(); ++s) {
    bool wait = steps[s].selects || (s > 0 && steps[s - 1].selects);
    for (const Access& read : steps[s].reads) wait |= read.scope == Scope::kImage && written[static_cast<size_t>(read.buffer)];
    for (const int write : steps[s].writes) wait |= read_by_others[static_cast<size_t>(write)];
    if (wait) {
      written.assign(count, false);
      read_by_others.assign(count, false);
      barrier[s] = true;
    }
    for (const Access& read : steps[s].reads)
      if (read.scope == Scope::kImage) read_by_others[static_cast<size_t>(read.buffer)] = true;
    for (const int write : steps[s].writes) written[static_cast<size_t>(write)] = true;
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
        if (static_cast<size_t>(read.buffer) == b) last = s, shared |= read.scope == Scope::kImage;
      if (std::count(steps[s].writes.begin(), steps[s].writes.end(), static_cast<int>(b))) last = s;
    }
    if (last < steps.size() && !shared) dead[last].push_back(static_cast<int>(b));
  }
  return dead;
}

}  // namespace vit
