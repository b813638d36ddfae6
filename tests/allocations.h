// SPDX-License-Identifier: Apache-2.0
// The test program's operator new and, where no sanitizer has its own, malloc: they count, and fail when they are told to.
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

/// The largest call of operator new on this thread since it was made.
class LargestAllocation {
 public:
  LargestAllocation();
  int64_t bytes() const;
};

/// While it lives, the n-th call of malloc(), calloc() or realloc() on this thread answers that there is no memory; and those of
/// libraries are calls, too. Under a sanitizer, whose malloc this is not, it stands for FailAllocation.
class FailMalloc {
 public:
  explicit FailMalloc(int64_t nth);
  FailMalloc(const FailMalloc&) = delete;
  FailMalloc& operator=(const FailMalloc&) = delete;
  ~FailMalloc();
  bool reached() const;
  /// Pieces of this thread that were not given back since it was made; 0 where malloc is not ours.
  int64_t alive() const;
};

}  // namespace vit
