// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/core/memory.h"

namespace vit {

/// Memory whose n-th piece cannot be had.
class FaultyMemory {
 public:
  explicit FaultyMemory(int nth) {
    system_ = memory_seam();
    left_ = nth;
    alive_ = 0;
    memory_seam() = {[](size_t bytes, size_t alignment) -> void* {
                       if (--left_ == 0) return nullptr;
                       void* const at = system_.allocate(bytes, alignment);
                       alive_ += at != nullptr;
                       return at;
                     },
                     [](void* at) { --alive_, system_.release(at); }};
  }
  FaultyMemory(const FaultyMemory&) = delete;
  FaultyMemory& operator=(const FaultyMemory&) = delete;
  ~FaultyMemory() { memory_seam() = system_; }
  static bool reached() { return left_ <= 0; }
  static int alive() { return alive_; }

 private:
  static inline MemorySeam system_;
  static inline int left_, alive_;
};

}  // namespace vit
