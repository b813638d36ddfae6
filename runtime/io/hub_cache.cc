// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ops/core/error.h"
#include "ops/core/file.h"
#include "runtime/io/file_source.h"

namespace vit {
namespace {

constexpr uint64_t kMaxRefBytes = 256;  // a commit's 40 digits, or a tag's name

/// Its value, empty when it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_hub_word(const std::string& word) {
  if (word.empty() || word[0] == '.' || word.find("..") != std::string::npos) return false;
  return std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("-_.", c) != nullptr;
  });
}

/// The revision in refs/main.
std::string read_revision(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path, kMaxRefBytes, /*wait_ms=*/0);
  std::string revision(bytes.begin(), bytes.end());
  while (!revision.empty() && (revision.back() == '\n' || revision.back() == ' ')) revision.pop_back();
  VIT_CHECK(is_plain_name(revision), Code::kModel, path, ": expected the name of a folder in snapshots, found none");
  return revision;
}

}  // namespace

bool is_hub_name(const std::string& path) {
  const size_t slash = path.find('/');
  return slash != std::string::npos && is_hub_word(path.substr(0, slash)) && is_hub_word(path.substr(slash + 1));
}

std::string hub_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string folder = variable(name); !folder.empty()) return folder;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/huggingface/hub";
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/huggingface/hub";
}

HubEntry find_in_hub_cache(const std::string& name) {
  const std::string cache = hub_cache_folder();
  const size_t slash = name.find('/');
  HubEntry entry;
  entry.root = cache + "/models--" + name.substr(0, slash) + "--" + name.substr(slash + 1);
  VIT_CHECK(!cache.empty() && path_kind(entry.root) == PathKind::kDirectory, Code::kModel, name,
            ": expected a model folder or a safetensors file, found nothing there, and no ",
            cache.empty() ? "Hugging Face cache (HF_HUB_CACHE, HF_HOME and HOME are not set)" : entry.root,
            " either; nothing is downloaded");
  const std::string ref = entry.root + "/refs/main";
  VIT_CHECK(path_kind(ref) == PathKind::kFile, Code::kModel, ref, ": expected the revision of ", name, ", found no such file");
  entry.snapshot = entry.root + "/snapshots/" + read_revision(ref);
  VIT_CHECK(path_kind(entry.snapshot) == PathKind::kDirectory, Code::kModel, entry.snapshot,
            ": expected the folder that refs/main of ", name, " names, found none");
  return entry;
}

}  // namespace vit
