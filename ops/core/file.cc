// SPDX-License-Identifier: Apache-2.0
#include "ops/core/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ops/core/error.h"

namespace vit {
namespace {

int stat_file(int fd, uint64_t* bytes, bool* regular, bool* directory) {
  struct stat info;
  if (fstat(fd, &info) != 0) return -1;
  *bytes = static_cast<uint64_t>(info.st_size);
  *regular = S_ISREG(info.st_mode);
  *directory = S_ISDIR(info.st_mode);
  return 0;
}

/// An open file descriptor; closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(path == "-" ? 0 : file_seam().open(path.c_str(), flags | O_CLOEXEC, 0)) {
    VIT_CHECK(fd_ >= 0, Code::kIo, path, ": cannot be opened: ", std::strerror(errno));
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > 0) file_seam().close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

FileSeam& file_seam() {
  static FileSeam seam{[](const char* path, int flags, int mode) { return ::open(path, flags, mode); },
                       [](int fd) { return ::close(fd); },
                       [](int fd, void* to, size_t bytes) { return static_cast<int64_t>(::read(fd, to, bytes)); },
                       [](int fd, const void* from, size_t bytes) { return static_cast<int64_t>(::write(fd, from, bytes)); },
                       stat_file,
                       [](int fd, size_t bytes) { return ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0); },
                       [](void* at, size_t bytes) { return ::munmap(at, bytes); },
                       [](int fd) { return ::fsync(fd); }};
  return seam;
}

Mapping::Mapping(const std::string& path) {
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  uint64_t bytes = 0;
  bool regular = false, directory = false;
  VIT_CHECK(file_seam().stat(file.fd(), &bytes, &regular, &directory) == 0, Code::kIo, path, ": ", std::strerror(errno));
  VIT_CHECK(regular, Code::kIo, path, ": expected a regular file, found ", directory ? "a directory" : "something else");
  if (bytes == 0) return;
  void* at = file_seam().map(file.fd(), bytes);
  VIT_CHECK(at != MAP_FAILED, Code::kIo, path, ": cannot be mapped: ", std::strerror(errno));
  data_ = static_cast<const uint8_t*>(at);
  size_ = bytes;
}

Mapping Mapping::borrow(Bytes bytes) {
  Mapping mapping;
  mapping.data_ = bytes.data();
  mapping.size_ = bytes.size();
  mapping.borrowed_ = true;
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), borrowed_(other.borrowed_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(borrowed_, other.borrowed_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr && !borrowed_) file_seam().unmap(const_cast<uint8_t*>(data_), size_);
}

void Mapping::drop(const uint8_t* from, size_t bytes) const noexcept {
  if (borrowed_) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(from) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(from) + bytes) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::vector<uint8_t> read_file(const std::string& path, uint64_t limit_bytes, int wait_ms) {
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  uint64_t bytes = 0;
  bool regular = false, directory = false;
  VIT_CHECK(file_seam().stat(file.fd(), &bytes, &regular, &directory) == 0, Code::kIo, path, ": ", std::strerror(errno));
  VIT_CHECK(!directory, Code::kIo, path, ": expected a file, found a directory");
  if (regular) VIT_CHECK(bytes <= limit_bytes, Code::kIo, path, ": has ", bytes, " bytes, the limit is ", limit_bytes);

  std::vector<uint8_t> data;
  data.reserve(regular ? bytes + 1 : 0);  // one more, so that the end is seen without growing
  for (;;) {
    if (data.size() == data.capacity()) data.reserve(std::max<size_t>(65536, data.capacity() * 2));
    const size_t had = data.size();
    data.resize(data.capacity());
    if (!regular) {
      // poll() reports an end of file that has not had a writer yet as POLLHUP only after one came: until then it waits.
      pollfd waiting{file.fd(), POLLIN, 0};
      const int ready = ::poll(&waiting, 1, path == "-" ? -1 : wait_ms);
      VIT_CHECK(ready != 0, Code::kIo, path, ": expected a file, found a pipe that nobody writes to (waited ", wait_ms, " ms)");
    }
    const int64_t n = file_seam().read(file.fd(), data.data() + had, data.size() - had);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
      data.resize(had);
      continue;
    }
    VIT_CHECK(n >= 0, Code::kIo, path, ": cannot be read: ", std::strerror(errno));
    data.resize(had + static_cast<size_t>(n));
    VIT_CHECK(data.size() <= limit_bytes, Code::kIo, path, ": has more than ", limit_bytes, " bytes, the limit");
    if (n == 0) return data;
  }
}

PathKind path_kind(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return PathKind::kAbsent;
  if (S_ISREG(info.st_mode)) return PathKind::kFile;
  return S_ISDIR(info.st_mode) ? PathKind::kDirectory : PathKind::kOther;
}

}  // namespace vit
