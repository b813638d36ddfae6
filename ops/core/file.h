// SPDX-License-Identifier: Apache-2.0
// The only way to files. Everything goes through a small table of functions, so that a test can make the n-th call fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vit {

/// What the file classes call. Each function answers like its POSIX namesake: -1 (or MAP_FAILED) with errno set.
struct FileSeam {
  int (*open)(const char* path, int flags, int mode);
  int (*close)(int fd);
  int64_t (*read)(int fd, void* to, size_t bytes);
  int64_t (*write)(int fd, const void* from, size_t bytes);
  int (*stat)(int fd, uint64_t* bytes, bool* regular, bool* directory);
  void* (*map)(int fd, size_t bytes);
  int (*unmap)(void* at, size_t bytes);
  int (*sync)(int fd);
};
/// The table in force; the operating system's unless a test has put its own here. Not to be changed while files are open.
FileSeam& file_seam();

using Bytes = std::span<const uint8_t>;

/// A whole regular file mapped read-only, or bytes that somebody else keeps. Movable; the bytes live as long as the object.
class Mapping {
 public:
  Mapping() = default;
  /// Throws kIo: absent, unreadable, a directory, a FIFO or a device. Never waits for a writer.
  explicit Mapping(const std::string& path);
  /// The caller's own bytes, which must outlive the object.
  static Mapping borrow(Bytes bytes);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  Bytes bytes() const { return {data_, size_}; }
  /// Tells the kernel that [from, from + bytes) will not be read again soon. Does nothing to borrowed bytes.
  void drop(const uint8_t* from, size_t bytes) const noexcept;

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool borrowed_ = false;
};

/// Reads a file, a FIFO that has a writer, or standard input ("-") into memory. Throws kIo when it is a directory, when a FIFO
/// gives nothing within `wait_ms`, or when there are more than `limit_bytes`.
std::vector<uint8_t> read_file(const std::string& path, uint64_t limit_bytes, int wait_ms = 2000);

enum class PathKind { kAbsent, kFile, kDirectory, kOther };
PathKind path_kind(const std::string& path);

}  // namespace vit
