// SPDX-License-Identifier: Apache-2.0
// The files of one model, wherever they are: a folder on disk, or bytes in memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/core/file.h"

namespace vit {

struct NamedBytes;

/// Files by their plain names. All functions may throw Error(kIo).
class FileSource {
 public:
  virtual ~FileSource() = default;
  virtual bool has(const std::string& name) const = 0;
  /// All names, sorted.
  virtual std::vector<std::string> names() const = 0;
  virtual std::string read_text(const std::string& name, uint64_t limit_bytes) const = 0;
  virtual Mapping map(const std::string& name) const = 0;
  /// As map(), for a name that another file gave: must not lead out of the folder. Throws Error(kModel) when it does.
  virtual Mapping map_named_by_file(const std::string& name) const = 0;
  /// How sentences name a file.
  std::string path_of(const std::string& name) const;
  const std::string& folder() const { return folder_; }

 protected:
  explicit FileSource(std::string folder) : folder_(std::move(folder)) {}

 private:
  std::string folder_;
};

/// `root`, if not empty: links of this folder may lead to files inside `root` only (a Hugging Face cache's entry).
std::unique_ptr<FileSource> folder_source(const std::string& folder, const std::string& root = "");
/// `files` must outlive the source.
std::unique_ptr<FileSource> memory_source(const std::string& folder, const std::vector<NamedBytes>& files);

/// Whether a name from a file is that of a file in the same folder: no separator, no drive, not "." or "..", no control
/// character.
bool is_plain_name(const std::string& name);

}  // namespace vit
