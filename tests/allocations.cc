// SPDX-License-Identifier: Apache-2.0
#include "tests/allocations.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VIT_OWN_MALLOC 1
#else
#define VIT_OWN_MALLOC 0
#endif

namespace {

std::atomic<int64_t> calls{0};
thread_local int64_t left = 0;  ///< until the failing one; 0: none is to fail, or it has failed
thread_local bool failing = false, has_failed = false, failing_onwards = false;

thread_local int64_t largest = 0;

void* allocate(std::size_t bytes) noexcept {
  calls.fetch_add(1, std::memory_order_relaxed);
  largest = std::max(largest, static_cast<int64_t>(bytes));
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

#if VIT_OWN_MALLOC
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* at, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* at);
}

namespace {

thread_local int64_t malloc_left = 0;  ///< until the failing call; 0: none is to fail, or it has failed
thread_local bool malloc_failed = false;
thread_local int64_t malloc_alive = 0;

/// The answer of a call: nothing for the one that is to fail.
template <class Call>
void* counted(Call call) noexcept {
  if (malloc_left > 0 && --malloc_left == 0) {
    malloc_failed = true;
    errno = ENOMEM;
    return nullptr;
  }
  void* const at = call();
  malloc_alive += at != nullptr;
  return at;
}

}  // namespace

extern "C" {
void* malloc(std::size_t bytes) noexcept {
  return counted([=] { return __libc_malloc(bytes); });
}
void* calloc(std::size_t count, std::size_t bytes) noexcept {
  return counted([=] { return __libc_calloc(count, bytes); });
}
void* realloc(void* old, std::size_t bytes) noexcept {
  void* const at = counted([=] { return __libc_realloc(old, bytes); });
  malloc_alive -= old != nullptr && (at != nullptr || bytes == 0);
  return at;
}
void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  return counted([=] { return __libc_memalign(alignment, bytes); });
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept { return memalign(alignment, bytes); }
int posix_memalign(void** to, std::size_t alignment, std::size_t bytes) noexcept {
  *to = memalign(alignment, bytes);
  return *to == nullptr ? ENOMEM : 0;
}
void free(void* at) noexcept {
  malloc_alive -= at != nullptr;
  __libc_free(at);
}
}
#endif

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

LargestAllocation::LargestAllocation() { largest = 0; }

int64_t LargestAllocation::bytes() const { return largest; }

#if VIT_OWN_MALLOC

FailMalloc::FailMalloc(int64_t nth) {
  malloc_failed = false;
  malloc_alive = 0;
  malloc_left = nth;
}

FailMalloc::~FailMalloc() { malloc_left = 0; }

bool FailMalloc::reached() const { return malloc_failed; }

int64_t FailMalloc::alive() const { return malloc_alive; }

#else

FailMalloc::FailMalloc(int64_t nth) {
  left = nth;
  failing_onwards = has_failed = false;
  failing = true;
}

FailMalloc::~FailMalloc() { failing = false; }

bool FailMalloc::reached() const { return has_failed; }

int64_t FailMalloc::alive() const { return 0; }

#endif

}  // namespace vit
