// SPDX-License-Identifier: Apache-2.0
#include "ops/core/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

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

}  // namespace

MemorySeam& memory_seam() {
  static MemorySeam seam{allocate, std::free};
  return seam;
}

RawBuffer::RawBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  // Weights of a large model are walked through once a pass: huge pages save 2 % there.
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const size_t rounded = (bytes + 63) / 64 * 64;
  data_ = rounded < bytes ? nullptr : memory_seam().allocate(rounded, alignment);
  VIT_CHECK(data_ != nullptr, Code::kMemory, "out of memory: ", bytes, " bytes could not be had");
  std::memset(data_, 0, bytes);
}

RawBuffer::~RawBuffer() {
  if (data_ != nullptr && !borrowed_) memory_seam().release(data_);
}

}  // namespace vit
