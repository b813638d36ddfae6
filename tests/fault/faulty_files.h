// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>

#include <cerrno>

#include "ops/core/file.h"

namespace vit {

enum class Call { kOpen, kStat, kRead, kMap };

/// Counts the calls to the system, makes the n-th one of a kind fail, and puts the system's table back.
class FaultyFiles {
 public:
  FaultyFiles(Call kind, int nth) {
    system_ = file_seam();
    kind_ = kind;
    left_ = nth;
    descriptors_ = mappings_ = 0;
    failed_ = false;
    FileSeam& seam = file_seam();
    seam.open = [](const char* path, int flags, int mode) {
      if (fails(Call::kOpen, EMFILE)) return -1;
      const int fd = system_.open(path, flags, mode);
      descriptors_ += fd >= 0;
      return fd;
    };
    seam.close = [](int fd) { return --descriptors_, system_.close(fd); };
    seam.stat = [](int fd, uint64_t* bytes, bool* regular, bool* directory) {
      return fails(Call::kStat, EIO) ? -1 : system_.stat(fd, bytes, regular, directory);
    };
    seam.read = [](int fd, void* to, size_t bytes) {
      return fails(Call::kRead, EIO) ? int64_t{-1} : system_.read(fd, to, bytes);
    };
    seam.map = [](int fd, size_t bytes) {
      if (fails(Call::kMap, ENOMEM)) return MAP_FAILED;
      void* const at = system_.map(fd, bytes);
      mappings_ += at != MAP_FAILED;
      return at;
    };
    seam.unmap = [](void* at, size_t bytes) { return --mappings_, system_.unmap(at, bytes); };
  }
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;
  ~FaultyFiles() { file_seam() = system_; }

  static bool failed() { return failed_; }
  static int open_descriptors() { return descriptors_; }
  static int live_mappings() { return mappings_; }

 private:
  static bool fails(Call kind, int error) {
    if (kind != kind_ || --left_ != 0) return false;
    errno = error;
    return failed_ = true;
  }

  static inline FileSeam system_;
  static inline Call kind_;
  static inline int left_, descriptors_, mappings_;
  static inline bool failed_;
};

}  // namespace vit
