// SPDX-License-Identifier: Apache-2.0
#include "tests/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> calls{0};
thread_local int64_t left = 0;  ///< until the failing one; 0: none is to fail, or it has failed
thread_local bool failing = false, has_failed = false, failing_onwards = false;

void* allocate(std::size_t bytes) noexcept {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (failing && (has_failed ? failing_onwards : --left == 0)) {
    has_failed = true;
    return nullptr;
  }
  return std::malloc(bytes == 0 ? 1 : bytes);
}

void* allocate_or_throw(std::size_t bytes) {
  if (void* at = allocate(bytes)) return at;
  throw std::bad_alloc();
}

}  // namespace

// All forms without alignment, so that none of them meets a sanitizer's own operator delete.
void* operator new(std::size_t bytes) { return allocate_or_throw(bytes); }
void* operator new[](std::size_t bytes) { return allocate_or_throw(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }
void operator delete[](void* at, const std::nothrow_t&) noexcept { std::free(at); }

namespace vit {

int64_t allocations() { return calls.load(std::memory_order_relaxed); }

FailAllocation::FailAllocation(int64_t nth, Extent extent) {
  left = nth;
  failing_onwards = extent == Extent::kOnwards;
  has_failed = false;
  failing = true;
}

FailAllocation::~FailAllocation() { failing = false; }

bool FailAllocation::reached() const { return has_failed; }

}  // namespace vit
