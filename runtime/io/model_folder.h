// SPDX-License-Identifier: Apache-2.0
// From a path to a model's files: the weights, the configuration beside them, and how pictures are prepared.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/io/vit_file.h"
#include "runtime/weights.h"

namespace vit {

struct ModelOptions;
struct NamedBytes;

/// A text file; `path` names it in sentences. An optional file that is absent has an empty path.
struct TextFile {
  std::string path, text;
  explicit operator bool() const { return !path.empty(); }
};

struct ModelFiles {
  std::unique_ptr<WeightStore> weights;
  std::map<std::string, std::string> metadata;  ///< the strings inside the weights' file; of shards, the first one's
  TextFile config;                              ///< config.json
  TextFile preprocessor;                        ///< preprocessor_config.json, optional
  std::string architecture;                     ///< timm's name of the model where no configuration says it
  std::shared_ptr<const VitFile> vit;           ///< of a .vit file; null otherwise
};

/// `path`: a folder, or where there is none the name of a model on the Hugging Face hub ("org/name") that this machine's cache
/// holds; or a safetensors file, or the index of a sharded one, with config.json beside it; or a .vit file,
/// which has everything inside. No other file is read, and a link of
/// a shard is not followed out of the folder, except into the blobs of a Hugging Face cache. Throws Error(kModel), or
/// Error(kMemory): one sentence.
ModelFiles open_model_files(const std::string& path, const ModelOptions& options);

/// The same from memory: `files` are those of the folder, and must outlive the result. `path` names the folder in sentences.
ModelFiles open_model_files(const std::string& path, const std::vector<NamedBytes>& files, const ModelOptions& options);

/// Configurations and preprocessor configurations larger than this are refused.
constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;

}  // namespace vit
