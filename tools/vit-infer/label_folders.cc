// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/label_folders.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {

bool is_number(const std::string& name) { return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos; }

/// "n01440764", as ImageNet's folders are named.
bool is_wordnet_id(const std::string& name) { return name.size() == 9 && name[0] == 'n' && is_number(name.substr(1)); }

/// Names of the folders in a folder, sorted.
std::vector<std::string> folders_in(const std::string& folder) {
  struct Close {
    void operator()(DIR* open) const { closedir(open); }
  };
  const std::unique_ptr<DIR, Close> open(opendir(folder.c_str()));
  if (open == nullptr)
    throw Failure(kAllFailed,
                  folder + ": expected a folder with one folder a label; it cannot be listed: " + std::strerror(errno));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(open.get())) {
    struct stat info;
    const std::string name = entry->d_name;
    if (name[0] != '.' && stat((folder + "/" + name).c_str(), &info) == 0 && S_ISDIR(info.st_mode)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

LabelNames::LabelNames(const std::vector<std::string>& labels) : count_(labels.size()) {
  for (size_t i = 0; i < labels.size(); ++i) {
    exact_.emplace(labels[i], i);
    first_synonym_.emplace(labels[i].substr(0, labels[i].find(',')), i);
    numbers_are_names_ |= is_number(labels[i]);
  }
}

std::optional<size_t> LabelNames::only_one(const Names& names, const std::string& name) {
  const auto [first, last] = names.equal_range(name);
  if (first == last) return std::nullopt;
  if (const auto second = std::next(first); second != last)
    throw Failure(kUsage, name + ": two labels of the model have this name, " + std::to_string(first->second) + " and " +
                              std::to_string(second->second) + "; expected the folder to be named by the index");
  return first->second;
}

std::optional<size_t> LabelNames::find(const std::string& name) const {
  if (const auto found = only_one(exact_, name)) return found;
  if (const auto found = only_one(first_synonym_, name)) return found;
  size_t index = 0;
  if (numbers_are_names_ || !is_number(name)) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc() && index < count_ ? std::optional(index) : std::nullopt;
}

LabelFolders::LabelFolders(const std::string& folder, const LabelNames& names, Unknown unknown, bool recursive)
    : root_(folder + (folder.ends_with('/') ? "" : "/")), recursive_(recursive) {
  const std::vector<std::string> found = folders_in(folder);
  if (found.empty()) throw Failure(kAllFailed, folder + ": expected one folder a label, found no folder in it");
  for (const std::string& name : found) {
    if (const auto label = names.find(name))
      labels_.emplace(root_ + name, *label);
    else
      unknown_.push_back(name);
  }
  const bool ids = std::any_of(unknown_.begin(), unknown_.end(), is_wordnet_id);
  if (!unknown_.empty() && (unknown == Unknown::kRefused || labels_.empty()))
    throw Failure(kUsage, folder + ": " + some_of(unknown_) + (unknown_.size() == 1 ? " is no label" : " are no labels") +
                              " of the model; " +
                              (ids               ? "for folders named by WordNet id, --labels names a file with these ids in the "
                                                   "order of the model's labels"
                               : labels_.empty() ? "expected folders named as its labels, or by index"
                                                 : "--skip-unknown passes over such folders"));
  at_ = labels_.begin();
}

bool LabelFolders::next(Input& input) {
  for (;; walk_.reset()) {
    if (!walk_) {
      if (at_ == labels_.end()) return false;
      walk_.emplace((at_++)->first, recursive_);
    }
    if (walk_->next(input)) return true;
  }
}

size_t LabelFolders::label_of(const std::string& path) const { return labels_.at(path.substr(0, path.find('/', root_.size()))); }

std::optional<size_t> LabelFolders::count() const {
  const auto start = std::chrono::steady_clock::now();
  size_t count = 0;
  for (const auto& [folder, label] : labels_) {
    FolderWalk walk(folder, recursive_);
    for (Input input; walk.next(input); ++count)
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(2)) return std::nullopt;
  }
  return count;
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + names[i];
  const size_t rest = names.size() - std::min(names.size(), kShown);
  return rest == 0 ? text : text + " and " + std::to_string(rest) + (rest == 1 ? " other" : " others");
}

}  // namespace vit::tool
