// SPDX-License-Identifier: Apache-2.0
// --files-from and --files0-from: names of inputs out of a file.
#pragma once

#include <string>

#include "tools/vit-infer/folder_walk.h"

namespace vit::tool {

/// Reads names as they come, so that a list from a pipe is worked on while it is written. Lines end in LF or CR LF, or every name
/// in a zero byte; empty ones are passed over.
class PathList {
 public:
  /// `path` as the option has it, "-" for standard input. Throws Failure(kUsage) when it cannot be read.
  PathList(std::string option, const std::string& path, char separator);
  PathList(PathList&& other) noexcept;
  PathList& operator=(PathList&&) = delete;
  ~PathList();

  /// Whether there was another one. An interrupt ends the list.
  bool next(Input& input);

 private:
  /// Waits for more bytes; false at the end.
  bool fill();
  bool take_line(std::string& line);

  std::string name_;  ///< for sentences
  char separator_;
  int fd_ = -1;
  bool ended_ = false;
  std::string buffer_;
  size_t at_ = 0;
};

/// Lists end here, also one that somebody is waiting for: nobody will ask for more.
void stop_lists();

}  // namespace vit::tool
