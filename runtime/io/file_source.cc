// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/file_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "ops/core/error.h"
#include "runtime/io/printable.h"
#include "runtime/model.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

bool is_inside(const fs::path& file, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

/// A Hugging Face cache keeps its files in models--x/blobs, and models--x/snapshots/REVISION holds links to them.
bool is_own_blob(const fs::path& file, const fs::path& folder) {
  for (fs::path at = folder; at.has_relative_path(); at = at.parent_path())
    if (at.filename() == "snapshots") return is_inside(file, at.parent_path() / "blobs");
  return false;
}

class FolderSource final : public FileSource {
 public:
  FolderSource(const std::string& folder, const std::string& root) : FileSource(folder), root_(root) {}

  bool has(const std::string& name) const override { return path_kind(path_of(name)) != PathKind::kAbsent; }
  std::vector<std::string> names() const override {
    std::vector<std::string> found;
    std::error_code error;
    fs::directory_iterator at(folder(), error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) found.push_back(at->path().filename().string());
    VIT_CHECK(!error, Code::kIo, folder(), ": the folder cannot be read: ", error.message());
    std::sort(found.begin(), found.end());
    return found;
  }
  std::string read_text(const std::string& name, uint64_t limit_bytes) const override {
    const std::vector<uint8_t> bytes = read_file(confined(name), limit_bytes, /*wait_ms=*/0);
    return {bytes.begin(), bytes.end()};
  }
  Mapping map(const std::string& name) const override { return Mapping(confined(name)); }
  Mapping map_named_by_file(const std::string& name) const override {
    std::error_code error;
    const fs::path real_folder = fs::canonical(folder(), error);
    const fs::path real_file = error ? fs::path() : fs::canonical(path_of(name), error);
    VIT_CHECK(!error, Code::kIo, path_of(name), ": cannot be opened: ", error.message());
    VIT_CHECK(is_inside(real_file, real_folder) || is_own_blob(real_file, real_folder), Code::kModel, path_of(name),
              ": expected a file of this folder, found a link that leads out of it");
    return Mapping(real_file.string());
  }

 private:
  /// The path of a file of the folder; what it leads to is inside the root when there is one.
  std::string confined(const std::string& name) const {
    if (root_.empty()) return path_of(name);
    std::error_code error;
    const fs::path real_root = fs::canonical(root_, error);
    const fs::path real_file = error ? fs::path() : fs::canonical(path_of(name), error);
    VIT_CHECK(!error, Code::kIo, path_of(name), ": cannot be opened: ", error.message());
    VIT_CHECK(is_inside(real_file, real_root), Code::kModel, path_of(name),
              ": expected a file of this cache entry, found a link that leads ", "out of it");
    return real_file.string();
  }

  std::string root_;
};

class MemorySource final : public FileSource {
 public:
  MemorySource(const std::string& folder, const std::vector<NamedBytes>& files) : FileSource(folder), files_(files) {}

  bool has(const std::string& name) const override { return find(name) != nullptr; }
  std::vector<std::string> names() const override {
    std::vector<std::string> found;
    for (const NamedBytes& file : files_) found.push_back(file.name);
    std::sort(found.begin(), found.end());
    return found;
  }
  std::string read_text(const std::string& name, uint64_t limit_bytes) const override {
    const Bytes bytes = require(name);
    VIT_CHECK(bytes.size() <= limit_bytes, Code::kIo, path_of(name), ": has ", bytes.size(), " bytes, the limit is ",
              limit_bytes);
    return {bytes.begin(), bytes.end()};
  }
  Mapping map(const std::string& name) const override { return Mapping::borrow(require(name)); }
  Mapping map_named_by_file(const std::string& name) const override { return map(name); }

 private:
  const NamedBytes* find(const std::string& name) const {
    const auto found = std::find_if(files_.begin(), files_.end(), [&](const NamedBytes& file) { return file.name == name; });
    return found == files_.end() ? nullptr : &*found;
  }
  Bytes require(const std::string& name) const {
    const NamedBytes* file = find(name);
    VIT_CHECK(file != nullptr, Code::kIo, path_of(name), ": there is no such file");
    return file->bytes;
  }

  const std::vector<NamedBytes>& files_;
};

}  // namespace

std::string FileSource::path_of(const std::string& name) const {
  return folder_.empty() || folder_.ends_with('/') ? folder_ + name : folder_ + "/" + name;
}

std::unique_ptr<FileSource> folder_source(const std::string& folder, const std::string& root) {
  return std::make_unique<FolderSource>(folder, root);
}

std::unique_ptr<FileSource> memory_source(const std::string& folder, const std::vector<NamedBytes>& files) {
  return std::make_unique<MemorySource>(folder, files);
}

bool is_plain_name(const std::string& name) {
  constexpr size_t kLongest = 255;  // of a file's name, by every file system in use
  if (name.empty() || name.size() > kLongest || name == "." || name.find("..") != std::string::npos) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

}  // namespace vit
