// SPDX-License-Identifier: Apache-2.0
// Aligned memory for tensors, through a seam that a test can make fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace vit {

struct MemorySeam {
  void* (*allocate)(size_t bytes, size_t alignment);  ///< nullptr when there is none
  void (*release)(void* at);
};
/// The table in force. Not to be changed while buffers are alive.
MemorySeam& memory_seam();

/// `count` elements, aligned to 64 bytes, zeroed unless somebody else is to. Large buffers ask for huge pages. Throws
/// Error(kMemory).
template <class T>
class Buffer;

/// What a new buffer holds: zeros, or anything, for who writes all of it. Its pages are there in both cases: a virtual machine's
/// host that has to find them first takes twice as long when several threads ask at once.
enum class Fill { kZeros, kNothing };

/// Whether a buffer has pages of its own, or shares huge ones with others that live about as long. A pass walks through all
/// weights: in small pages, each of a few hundred kilobytes would cost a look at a page table every 4 KiB.
enum class Pages { kOwn, kShared };

class RawBuffer {
 public:
  RawBuffer() = default;
  explicit RawBuffer(size_t bytes, Pages pages = Pages::kOwn, Fill fill = Fill::kZeros);
  /// Somebody else's bytes, which must outlive the object.
  static RawBuffer borrow(void* data, size_t bytes) {
    RawBuffer buffer;
    buffer.data_ = data, buffer.bytes_ = bytes, buffer.borrowed_ = true;
    return buffer;
  }
  RawBuffer(RawBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        borrowed_(other.borrowed_),
        slab_(std::move(other.slab_)) {}
  RawBuffer& operator=(RawBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(borrowed_, other.borrowed_);
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~RawBuffer();
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  bool borrowed_ = false;
  std::shared_ptr<void> slab_;  ///< what its pages are part of
};

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count, Pages pages = Pages::kOwn, Fill fill = Fill::kZeros)
      : raw_(bytes_of(count), pages, fill), count_(count) {}
  /// Elements that somebody else keeps, and that nobody writes.
  static Buffer borrow(const T* data, int64_t count) {
    Buffer buffer;
    buffer.raw_ = RawBuffer::borrow(const_cast<T*>(data), bytes_of(count)), buffer.count_ = count;
    return buffer;
  }
  T* data() const { return static_cast<T*>(raw_.data()); }
  T& operator[](int64_t i) const { return data()[i]; }
  int64_t size() const { return count_; }
  T* begin() const { return data(); }
  T* end() const { return data() + count_; }

 private:
  /// A product that does not fit becomes a size that cannot be had.
  static size_t bytes_of(int64_t count) {
    size_t bytes = 0;
    return __builtin_mul_overflow(count, sizeof(T), &bytes) ? SIZE_MAX : bytes;
  }

  RawBuffer raw_;
  int64_t count_ = 0;
};

}  // namespace vit
