// SPDX-License-Identifier: Apache-2.0
// A folder with one folder of images for each label, as ImageNet's train and val are laid out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/vit-infer/folder_walk.h"

namespace vit::tool {

/// Which label a name means: the one that is spelled so; else the one whose first synonym, before a comma, is; else, among labels
/// of which none is a number, the one of that index.
class LabelNames {
 public:
  explicit LabelNames(const std::vector<std::string>& labels);
  /// Throws Failure(kUsage) for a name that two labels have.
  std::optional<size_t> find(const std::string& name) const;

 private:
  using Names = std::multimap<std::string, size_t>;
  static std::optional<size_t> only_one(const Names& names, const std::string& name);
  Names exact_, first_synonym_;
  bool numbers_are_names_ = false;
  size_t count_;
};

/// The images of such a folder: label folders in byte order of their names, in each what FolderWalk finds. Names that begin with
/// a dot, and what is no folder, are passed over.
class LabelFolders {
 public:
  enum class Unknown { kRefused, kPassedOver };
  /// Throws Failure: kUsage for a folder whose name is no label; kAllFailed where there are no label folders.
  LabelFolders(const std::string& folder, const LabelNames& names, Unknown unknown, bool recursive);

  /// Whether there was another one.
  bool next(Input& input);
  /// Index of the label of an input that next() gave.
  size_t label_of(const std::string& path) const;
  /// How many there are still to come, when that is known within a second or two.
  std::optional<size_t> count() const;
  /// Names of the folders that were passed over.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  std::string root_;                      ///< with its slash
  std::map<std::string, size_t> labels_;  ///< by path of the folder
  std::map<std::string, size_t>::const_iterator at_;
  std::vector<std::string> unknown_;
  bool recursive_;
  std::optional<FolderWalk> walk_;
};

/// "a, b, c and 4 others"
std::string some_of(const std::vector<std::string>& names);

}  // namespace vit::tool
