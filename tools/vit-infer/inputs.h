// SPDX-License-Identifier: Apache-2.0
// What a command line names as inputs, one after the other.
#pragma once

#include <deque>
#include <optional>

#include "tools/common/arguments.h"
#include "tools/vit-infer/folder_walk.h"
#include "tools/vit-infer/path_list.h"

namespace vit::tool {

/// In this order: the arguments, the lists of --files-from, those of --files0-from; a folder stands for its image files. Nothing
/// is read before it is asked for, and nothing is kept, so that any number of inputs takes the same memory.
class Inputs {
 public:
  /// Opens the lists. Throws Failure(kUsage) when one cannot be read, or when nothing is named at all.
  explicit Inputs(const Arguments& arguments);
  /// Whether there was another one. Throws Failure(kUsage) when a list cannot be read.
  bool next(Input& input);
  /// Whether there are so many. Reads ahead; a list that is still being written is taken for long, and not waited for, where more
  /// than two are asked about.
  bool at_least(size_t count);
  /// How many there are, when that is known without reading a pipe and within a second or two.
  static std::optional<size_t> count(const Arguments& arguments);

 private:
  bool next_name(Input& input);
  bool next_input(Input& input);

  std::vector<std::string> names_;
  size_t at_ = 0;
  bool recursive_, reads_stdin_ = false;
  std::deque<PathList> lists_;
  std::optional<FolderWalk> walk_;
  std::deque<Input> ahead_;
};

}  // namespace vit::tool
