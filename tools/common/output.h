// SPDX-License-Identifier: Apache-2.0
// Where results go. Nothing is lost silently: every write is checked, and a named file appears whole or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vit::tool {

/// "-" is standard output. A regular file is written beside its place and put there by commit(); devices and pipes are written
/// as they are. All functions throw Failure(kOutput), or ClosedPipe.
class Output {
 public:
  /// kYes: commit() returns when the file and its name are on the disk; and unfinished files that a killed program has left in
  /// the folder are removed.
  enum class Durable { kNo, kYes };
  explicit Output(const std::string& path, Durable durable = Durable::kNo);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  /// Removes what was not committed.
  ~Output();

  void write(std::string_view bytes);
  void flush();
  /// Whether rewrite() can be used.
  bool seekable() const { return !temporary_.empty(); }
  /// Replaces bytes at the start of what was written.
  void rewrite_start(std::string_view bytes);
  /// Everything is written; the file takes its name.
  void commit();

  const std::string& path() const { return path_; }

 private:
  void open_beside(const std::string& target);
  void sync(int fd) const;
  void send(std::string_view bytes, int64_t at);
  [[noreturn]] void fail(int error) const;

  std::string path_;       ///< as the user named it
  std::string target_;     ///< links followed
  std::string temporary_;  ///< empty: written in place
  std::string buffer_;
  int fd_ = -1;
  bool durable_ = false;
};

/// From now on an interrupt (SIGINT, SIGTERM, SIGHUP) is remembered instead of ending the program; a second one ends it.
void remember_interrupts();
/// The signal that arrived, or 0.
int interrupted();

}  // namespace vit::tool
