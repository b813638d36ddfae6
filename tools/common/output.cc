// SPDX-License-Identifier: Apache-2.0
#include "tools/common/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {

constexpr size_t kBufferBytes = 1 << 16;
std::atomic<int> g_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free);  // a handler writes it

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

constexpr char kTemporary[] = ".vit-", kTemporaryEnding[] = ".part";

/// Nobody holds a lock on what a killed program was writing.
void remove_leftovers(const std::string& folder) {
  DIR* const all = opendir(folder.empty() ? "." : folder.c_str());
  if (all == nullptr) return;
  while (const dirent* entry = readdir(all)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kTemporary) || !name.ends_with(kTemporaryEnding)) continue;
    const std::string path = folder + entry->d_name;
    const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(path.c_str());
    close(fd);
  }
  closedir(all);
}

/// Locks a file just made, so that it is no leftover; false when somebody has taken it for one already.
bool hold(int fd) {
  struct stat info;
  // A file system without locks cannot tell leftovers either.
  return flock(fd, LOCK_EX) != 0 || fstat(fd, &info) != 0 || info.st_nlink > 0;
}

bool names_a_stream(const std::string& path) { return path.rfind("/dev/", 0) == 0 || path.rfind("/proc/", 0) == 0; }

}  // namespace

Output::Output(const std::string& path, Durable durable) : path_(path), target_(path), durable_(durable == Durable::kYes) {
  if (path == "-") {
    fd_ = STDOUT_FILENO;
    return;
  }
  if (path.empty()) throw Failure(kOutput, "the name of the output file is empty");
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) throw Failure(kOutput, path + ": is a folder, expected the name of a file");
  if (exists && S_ISREG(info.st_mode) && !names_a_stream(path)) {
    char resolved[PATH_MAX];
    if (realpath(path.c_str(), resolved) != nullptr) target_ = resolved;
  }
  if ((exists && !S_ISREG(info.st_mode)) || names_a_stream(path)) {
    // Not blocking: a FIFO that nobody reads is an error, not a reason to wait.
    fd_ = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd_ < 0) fail(errno);
    fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_NONBLOCK);
    return;
  }
  if (exists && access(path.c_str(), W_OK) != 0) fail(errno);
  open_beside(target_);
  if (exists) static_cast<void>(fchmod(fd_, info.st_mode & 07777));
}

void Output::open_beside(const std::string& target) {
  if (durable_) remove_leftovers(folder_of(target));
  for (int attempt = 0; attempt < 100 && fd_ < 0; ++attempt) {
    temporary_ = folder_of(target) + kTemporary + std::to_string(getpid()) + "-" + std::to_string(attempt) + kTemporaryEnding;
    fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) break;
    if (fd_ >= 0 && durable_ && !hold(fd_)) close(std::exchange(fd_, -1));
  }
  if (fd_ >= 0) return;
  temporary_.clear();
  fail(errno);
}

void Output::sync(int fd) const {
  // A file system that cannot sync says EINVAL; there is nothing to wait for then.
  if (fsync(fd) != 0 && errno != EINVAL) fail(errno);
}

Output::~Output() {
  if (fd_ > STDOUT_FILENO) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void Output::write(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() >= kBufferBytes) flush();
}

void Output::flush() {
  send(buffer_, -1);
  buffer_.clear();
}

void Output::rewrite_start(std::string_view bytes) {
  flush();
  send(bytes, 0);
}

void Output::send(std::string_view bytes, int64_t at) {
  while (!bytes.empty()) {
    const ssize_t sent = at < 0 ? ::write(fd_, bytes.data(), bytes.size()) : pwrite(fd_, bytes.data(), bytes.size(), at);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EPIPE) throw ClosedPipe{};
    if (sent < 0) fail(errno);
    bytes.remove_prefix(static_cast<size_t>(sent));
    if (at >= 0) at += sent;
  }
}

void Output::commit() {
  flush();
  if (fd_ == STDOUT_FILENO) return;
  if (durable_ && !temporary_.empty()) sync(fd_);
  if (!temporary_.empty() && rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  const bool named = !std::exchange(temporary_, "").empty();
  const int closed = close(std::exchange(fd_, -1));
  if (closed != 0) fail(errno);
  if (!durable_ || !named) return;
  const std::string folder = folder_of(target_);
  fd_ = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) return;  // a folder that may be written and not read
  sync(fd_);
  close(std::exchange(fd_, -1));
}

void Output::fail(int error) const {
  throw Failure(kOutput,
                (path_ == "-" ? std::string("standard output") : path_) + ": cannot be written: " + std::strerror(error));
}

void remember_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int number) { g_signal = number; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old {};
    if (sigaction(number, nullptr, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

int interrupted() { return g_signal; }

}  // namespace vit::tool
