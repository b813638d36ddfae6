// SPDX-License-Identifier: Apache-2.0
#include "tools/common/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {

constexpr size_t kBufferBytes = 1 << 16;
volatile std::sig_atomic_t g_signal = 0;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

bool names_a_stream(const std::string& path) { return path.rfind("/dev/", 0) == 0 || path.rfind("/proc/", 0) == 0; }

}  // namespace

Output::Output(const std::string& path) : path_(path), target_(path) {
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
  for (int attempt = 0; attempt < 100 && fd_ < 0; ++attempt) {
    temporary_ = folder_of(target) + ".vit-" + std::to_string(getpid()) + "-" + std::to_string(attempt) + ".part";
    fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) break;
  }
  if (fd_ >= 0) return;
  temporary_.clear();
  fail(errno);
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
  const int closed = close(fd_);
  fd_ = -1;
  if (closed != 0) fail(errno);
  if (temporary_.empty()) return;
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  temporary_.clear();
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
