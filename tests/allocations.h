// SPDX-License-Identifier: Apache-2.0
// The test program's operator new: counts, and fails when it is told to.
#pragma once

#include <cstdint>

namespace vit {

/// Calls of operator new so far, on all threads.
int64_t allocations();

/// While it lives, the n-th call of operator new on this thread (from 1) throws std::bad_alloc; with `onwards` all later ones,
/// too.
class FailAllocation {
 public:
  enum class Extent { kOnce, kOnwards };
  FailAllocation(int64_t nth, Extent extent);
  FailAllocation(const FailAllocation&) = delete;
  FailAllocation& operator=(const FailAllocation&) = delete;
  ~FailAllocation();
  /// Whether the n-th call came.
  bool reached() const;
};

}  // namespace vit
