// SPDX-License-Identifier: Apache-2.0
#include "ops/core/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "ops/core/error.h"

namespace vit {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

void* allocate(size_t bytes, size_t alignment) {
  void* at = nullptr;
  if (posix_memalign(&at, alignment, bytes) != 0) return nullptr;
  if (alignment >= kHugePage) madvise(at, bytes, MADV_HUGEPAGE);
  return at;
}

/// Slabs are memory that buffers take parts of, one behind the other; freed with the last of them. Each is larger than the one
/// before, up to this; what is not touched takes no memory.
constexpr size_t kLargestSlab = 8 * kHugePage;
/// Smaller buffers stay apart: a small model shall not take a huge page for itself.
constexpr size_t kLeastShared = kHugePage / 16;

void* from_slab(size_t bytes, std::shared_ptr<void>* slab) {
  static std::mutex mutex;
  static std::weak_ptr<void> newest;
  static size_t size = 0, used = 0;
  const std::lock_guard lock(mutex);
  *slab = newest.lock();
  if (*slab == nullptr || size - used < bytes) {
    size = *slab == nullptr ? kHugePage : std::min(2 * size, kLargestSlab);
    while (size < bytes) size *= 2;
    used = size;  // should there be none
    void* at = memory_seam().allocate(size, kHugePage);
    if (at == nullptr) return nullptr;
    slab->reset(at, memory_seam().release);
    newest = *slab, used = 0;
  }
  return static_cast<char*>(slab->get()) + std::exchange(used, used + bytes);
}

}  // namespace

MemorySeam& memory_seam() {
  static MemorySeam seam{allocate, std::free};
  return seam;
}

RawBuffer::RawBuffer(size_t bytes, Pages pages, Fill fill) : bytes_(bytes) {
  if (bytes == 0) return;
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const size_t rounded = (bytes + 63) / 64 * 64;
  if (pages == Pages::kShared && rounded >= kLeastShared && rounded <= kLargestSlab / 2) {
    data_ = from_slab(rounded, &slab_);
  } else {
    data_ = rounded < bytes ? nullptr : memory_seam().allocate(rounded, alignment);
  }
  VIT_CHECK(data_ != nullptr, Code::kMemory, "out of memory: ", bytes, " bytes could not be had");
  if (fill == Fill::kZeros) {
    std::memset(data_, 0, bytes);
  } else {
    constexpr size_t kPage = 4096;
    for (size_t at = 0; at < bytes; at += kPage) static_cast<volatile char*>(data_)[at] = 0;
  }
}

RawBuffer::~RawBuffer() {
  if (data_ != nullptr && !borrowed_ && slab_ == nullptr) memory_seam().release(data_);
}

}  // namespace vit
