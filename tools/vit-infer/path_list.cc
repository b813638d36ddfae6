// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/path_list.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/common/failure.h"
#include "tools/common/output.h"

namespace vit::tool {
namespace {

constexpr size_t kChunkBytes = 1 << 16;
constexpr size_t kLongestName = 1 << 16;  // sixteen times what Linux takes
std::atomic<bool> g_stopped = false;
constexpr int kPatienceMs = 2000;  // for somebody to write into a FIFO

bool over() { return interrupted() != 0 || g_stopped; }

/// A FIFO opens at once, whoever is at its other end: waits a moment until there are bytes, or somebody who may write them.
void wait_for_writer(int fd, const std::string& name) {
  pollfd one{fd, POLLIN, 0};
  if (poll(&one, 1, kPatienceMs) != 0) return;
  char byte;
  // With a writer this would have to wait for bytes (EAGAIN); without one, it is the end.
  if (read(fd, &byte, 1) == 0) throw Failure(kUsage, name + ": is a FIFO that nobody writes into");
}

}  // namespace

PathList::PathList(std::string option, const std::string& path, char separator)
    : name_("--" + std::move(option) + ": " + (path == "-" ? "standard input" : path)), separator_(separator) {
  fd_ = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat info;
  if (fd_ < 0 || fstat(fd_, &info) != 0) throw Failure(kUsage, name_ + ": cannot be opened: " + std::strerror(errno));
  if (S_ISDIR(info.st_mode)) throw Failure(kUsage, name_ + ": is a folder, expected a list of names");
  if (fd_ == STDIN_FILENO) return;
  if (S_ISFIFO(info.st_mode)) wait_for_writer(fd_, name_);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_NONBLOCK);
}

PathList::PathList(PathList&& other) noexcept
    : name_(std::move(other.name_)),
      separator_(other.separator_),
      fd_(std::exchange(other.fd_, -1)),
      ended_(other.ended_),
      buffer_(std::move(other.buffer_)),
      at_(other.at_) {}

PathList::~PathList() {
  if (fd_ > STDIN_FILENO) close(fd_);
}

void stop_lists() { g_stopped = true; }

bool PathList::fill() {
  if (ended_) return false;
  buffer_.erase(0, at_);
  at_ = 0;
  const size_t old = buffer_.size();
  buffer_.resize(old + kChunkBytes);
  // In slices: an interrupt may reach another thread than this one.
  constexpr int kSliceMs = 100;
  pollfd waiting{fd_, POLLIN, 0};
  while (!over() && poll(&waiting, 1, kSliceMs) <= 0) {
  }
  ssize_t got = 0;
  do got = over() ? 0 : read(fd_, buffer_.data() + old, kChunkBytes);
  while (got < 0 && errno == EINTR);
  if (got < 0) throw Failure(kUsage, name_ + ": cannot be read: " + std::strerror(errno));
  buffer_.resize(old + static_cast<size_t>(got > 0 ? got : 0));
  ended_ = got <= 0;
  return !ended_;
}

bool PathList::take_line(std::string& line) {
  for (size_t searched = at_;;) {
    const size_t end = buffer_.find(separator_, searched);
    if (end != std::string::npos) {
      line = buffer_.substr(at_, end - at_);
      at_ = end + 1;
      return true;
    }
    if (buffer_.size() - at_ > kLongestName)
      throw Failure(kUsage, name_ + ": has a name of more than " + std::to_string(kLongestName) + " bytes; " +
                                (separator_ == '\n' ? "--files0-from reads names that end in zero bytes"
                                                    : "expected names that end in zero bytes"));
    searched = buffer_.size() - at_;
    if (fill()) continue;
    if (over()) return false;
    line = buffer_.substr(at_);
    at_ = buffer_.size();
    return !line.empty();
  }
}

bool PathList::next(Input& input) {
  std::string line;
  do {
    if (!take_line(line)) return false;
    if (separator_ == '\n' && line.ends_with('\r')) line.pop_back();
  } while (line.empty());
  input = {line};
  if (line.find('\0') != std::string::npos)
    input.refusal = line + ": a name with a zero byte; --files0-from reads names that end in one";
  return true;
}

}  // namespace vit::tool
