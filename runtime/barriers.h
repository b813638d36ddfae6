// SPDX-License-Identifier: Apache-2.0
// Where threads that share images must wait for each other.
#pragma once

#include <vector>

#include "ops/step.h"

namespace vit {

/// The buffers that a step touches, each with the scope in which it reads them; writes are to the thread's own rows, or to the
/// columns that it has of several threads' rows.
struct StepAccess {
  std::vector<Access> reads;
  std::vector<int> writes;
  bool selects = false;  ///< tokens: it writes whole images, and behind it threads own other rows
  Columns columns = Columns::kOwn;
};

/// True for each step that needs a barrier before it: it reads rows of other threads that were written since the last one, or
/// writes rows that other threads may still be reading; and before and behind a step that selects tokens. `many`: where threads
/// share columns of Columns::kSharedByMany.
std::vector<bool> place_barriers(const std::vector<StepAccess>& steps, int buffers, bool many = false);

/// For each step the buffers, out of `candidates`, that nobody touches later and that were only ever read by the rows' own
/// thread.
std::vector<std::vector<int>> dead_after(const std::vector<StepAccess>& steps, const std::vector<bool>& candidates);

}  // namespace vit
