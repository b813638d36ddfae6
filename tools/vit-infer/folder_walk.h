// SPDX-License-Identifier: Apache-2.0
// The pictures of a folder, one after the other.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vit::tool {

/// A named input, or why there is none.
struct Input {
  std::string path;
  std::string refusal = {};  ///< a sentence that begins with the path; empty: the path can be tried
};

/// Lists the image files of a folder in byte order of their names, with `recursive` those of its subfolders in their place among
/// them.
///
/// An image file is a regular file with a usual extension of pictures, or without any extension and with the first bytes of a
/// picture. Names that begin with a dot are passed over. Links are followed; a folder that was listed already, as at the end of a
/// loop of links, is not listed again. What cannot be listed, and a folder without image files, is a refusal. Memory: the names
/// of one folder a level.
class FolderWalk {
 public:
  FolderWalk(std::string folder, bool recursive);
  /// Whether there was another one.
  bool next(Input& input);

 private:
  struct Level {
    std::string path;
    std::vector<std::string> names;
    size_t at = 0;
  };
  /// Begins to list a folder; answers a refusal's sentence, or nothing.
  std::string enter(const std::string& folder);
  bool visit(const std::string& path, const std::string& name, Input& input);

  std::string root_;
  bool recursive_, began_ = false;
  size_t given_ = 0, folders_passed_ = 0;
  std::vector<Level> levels_;
  std::set<std::pair<dev_t, ino_t>> listed_;
};

}  // namespace vit::tool
