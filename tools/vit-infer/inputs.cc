// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/inputs.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {

bool is_folder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_file(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

Inputs::Inputs(const Arguments& arguments) : names_(arguments.inputs), recursive_(arguments.has("recursive")) {
  for (const char* option : {"files-from", "files0-from"})
    for (const std::string& list : arguments.texts(option)) {
      if (list == "-" && (reads_stdin_ || std::count(names_.begin(), names_.end(), "-") != 0))
        throw Failure(kUsage, std::string("--") + option + " -: standard input is read already");
      reads_stdin_ |= list == "-";
      lists_.emplace_back(option, list, option == std::string("files-from") ? '\n' : '\0');
    }
  Input first;
  if (!next_input(first))
    throw Failure(kUsage, lists_.empty() && names_.empty() && !arguments.has("files-from") && !arguments.has("files0-from")
                              ? "no image was named; --help shows how"
                              : "no image was named: the list is empty");
  ahead_.push_back(std::move(first));
}

bool Inputs::next(Input& input) {
  if (ahead_.empty()) return next_input(input);
  input = std::move(ahead_.front());
  ahead_.pop_front();
  return true;
}

bool Inputs::at_least(size_t count) {
  if (count > 2 && !lists_.empty()) return true;
  Input input;
  while (ahead_.size() < count && next_input(input)) ahead_.push_back(std::move(input));
  return ahead_.size() >= count;
}

bool Inputs::next_name(Input& input) {
  if (at_ < names_.size()) {
    input = {names_[at_++]};
    if (input.path.empty()) input.refusal = "the name of an input is empty";
    return true;
  }
  for (; !lists_.empty(); lists_.pop_front()) {
    if (!lists_.front().next(input)) continue;
    if (input.path == "-" && reads_stdin_) input.refusal = "standard input: holds the list of names, and so no image";
    return true;
  }
  return false;
}

bool Inputs::next_input(Input& input) {
  for (;;) {
    if (walk_ && walk_->next(input)) return true;
    walk_.reset();
    if (!next_name(input)) return false;
    if (!input.refusal.empty() || input.path == "-" || !is_folder(input.path)) return true;
    walk_.emplace(input.path, recursive_);
  }
}

std::optional<size_t> Inputs::count(const Arguments& arguments) {
  for (const char* option : {"files-from", "files0-from"})
    for (const std::string& list : arguments.texts(option))
      if (!is_file(list)) return std::nullopt;
  const auto start = std::chrono::steady_clock::now();
  Inputs inputs(arguments);
  size_t count = 0;
  for (Input input; inputs.next(input); ++count)
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(2)) return std::nullopt;
  return count;
}

}  // namespace vit::tool
