// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/model_folder.h"

#include <algorithm>
#include <new>
#include <set>
#include <string_view>

#include "ops/core/error.h"
#include "runtime/io/file_source.h"
#include "runtime/io/hub_cache.h"
#include "runtime/io/json_fields.h"
#include "runtime/io/printable.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/sniff.h"
#include "runtime/model.h"

namespace vit {
namespace {

constexpr char kSingle[] = "model.safetensors", kIndex[] = "model.safetensors.index.json";
constexpr char kConfig[] = "config.json", kPreprocessor[] = "preprocessor_config.json";
constexpr std::string_view kWeightsEnding = ".safetensors", kIndexEnding = ".index.json", kVitEnding = ".vit";

/// Reads one weights file into the store, and returns the names that it holds.
std::vector<std::string> add_weights(ModelFiles& to, Mapping mapping, const std::string& path, const ModelOptions& options) {
  Safetensors content = parse_safetensors(mapping.bytes(), path, options.max_header_bytes);
  const auto format = content.metadata.find("format");
  const bool foreign = format != content.metadata.end() && (format->second == "tf" || format->second == "flax");
  VIT_CHECK(!foreign, Code::kModel, path, ": expected weights in PyTorch's layout, its metadata says that they are '",
            format->second, "': save the model again from PyTorch");
  if (is_vit_file(content)) to.vit = read_vit_file(content, mapping.bytes(), path);
  to.weights->add_file(std::move(mapping));
  std::vector<std::string> names;
  names.reserve(content.tensors.size());
  for (Tensor& tensor : content.tensors) {
    names.push_back(tensor.name);
    to.weights->add(std::move(tensor));
  }
  if (to.metadata.empty()) to.metadata = std::move(content.metadata);
  return names;
}

/// Tensor name -> shard, as the index has it.
std::map<std::string, std::string> read_index(const FileSource& source, const std::string& index, const ModelOptions& options) {
  const std::string path = source.path_of(index);
  const JsonDocument json = parse_json(source.read_text(index, options.max_header_bytes), path);
  const JsonFields fields(json, path);
  const Json* const weight_map = fields.find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object() || weight_map->empty())
    fields.fail("weight_map", "an object of file names");
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : weight_map->items()) {
    const auto* const name = shard.get_ptr<const std::string*>();
    VIT_CHECK(name != nullptr && is_plain_name(*name), Code::kModel, path, ": weight_map: ", printable(tensor),
              ": expected the plain name of a file in the same folder, found ", shown(shard));
    shard_of.emplace(tensor, *name);
  }
  return shard_of;
}

void add_shards(ModelFiles& to, const FileSource& source, const std::string& index, const ModelOptions& options) {
  const std::map<std::string, std::string> shard_of = read_index(source, index, options);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  for (const std::string& shard : shards)
    VIT_CHECK(source.has(shard), Code::kModel, source.path_of(shard), ": expected this file, which ", index,
              " names, found none");

  for (const std::string& shard : shards) {
    const std::string path = source.path_of(shard);
    for (const std::string& tensor : add_weights(to, source.map_named_by_file(shard), path, options)) {
      const auto mapped = shard_of.find(tensor);
      const bool known = mapped != shard_of.end();
      VIT_CHECK(known && mapped->second == shard, Code::kModel, path, ": tensor ", printable(tensor), ": expected it in ",
                known ? printable(mapped->second) : index, ", found it here");
    }
  }
  for (const auto& [tensor, shard] : shard_of)
    VIT_CHECK(to.weights->tensors().count(tensor) != 0, Code::kModel, source.path_of(shard), ": expected the tensor ",
              printable(tensor), " (by ", index, "), the file has no such tensor");
}

/// A list for a sentence: the first few names.
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kMost = 4;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMost); ++i) text += (i ? ", " : "") + printable(names[i], 60);
  return names.size() > kMost ? str(text, " and ", names.size() - kMost, " more") : text;
}

/// Says why a folder without readable weights is refused.
[[noreturn]] void refuse_folder(const FileSource& source, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string other = recognise_other_name(name);
    VIT_CHECK(other.empty(), Code::kModel, source.path_of(name), ": expected ", kSingle, ", found ", other);
  }
  const bool cache = std::find(names.begin(), names.end(), "snapshots") != names.end();
  throw Error(Code::kModel, str(source.folder(), ": expected a model folder with ", kConfig, " and ", kSingle, ", found ",
                                cache           ? "a Hugging Face cache entry: name one of the folders in its snapshots"
                                : names.empty() ? "an empty folder"
                                                : "no weights in it"));
}

/// The folder's weights file, or the index of its shards.
std::string find_weights(const FileSource& source) {
  if (source.has(kSingle)) return kSingle;
  if (source.has(kIndex)) return kIndex;
  const std::vector<std::string> names = source.names();
  std::vector<std::string> candidates;
  for (const std::string& name : names)
    if (name.ends_with(kWeightsEnding) || name.ends_with(kVitEnding)) candidates.push_back(name);
  if (candidates.empty()) refuse_folder(source, names);
  if (candidates.size() == 1) return candidates[0];
  const bool shards = candidates[0].find("-of-") != std::string::npos;
  const std::string expected = shards ? str(kIndex, " beside the shards") : "one safetensors file";
  throw Error(Code::kModel, str(source.folder(), ": expected ", expected, ", found ", listed(candidates)));
}

/// The configuration files that a .vit file has in its metadata.
void read_inner_files(ModelFiles& files, const std::string& path) {
  const auto inner = [&](const char* key) {
    const auto found = files.metadata.find(key);
    return found == files.metadata.end() ? TextFile{} : TextFile{path + ": " + key, found->second};
  };
  files.architecture = inner(vit_names::kArchitecture).text;
  files.config = inner(vit_names::kConfig);
  files.preprocessor = inner(vit_names::kPreprocessor);
  VIT_CHECK(files.config || !files.architecture.empty(), Code::kModel, path, ": expected ", vit_names::kConfig, " or ",
            vit_names::kArchitecture, " in its metadata, found neither");
}

ModelFiles read_files(const FileSource& source, const std::string& weights, const ModelOptions& options) {
  ModelFiles files;
  files.weights = std::make_unique<WeightStore>();
  if (weights.ends_with(kIndexEnding)) {
    add_shards(files, source, weights, options);
  } else {
    add_weights(files, source.map(weights), source.path_of(weights), options);
  }
  if (files.vit) {
    read_inner_files(files, source.path_of(weights));
    return files;
  }
  files.architecture = options.architecture;
  if (!files.architecture.empty()) return files;
  VIT_CHECK(source.has(kConfig), Code::kModel, source.path_of(kConfig), ": expected the model's configuration beside ", weights,
            ", found no such file");
  files.config = {source.path_of(kConfig), source.read_text(kConfig, kMaxConfigBytes)};
  if (source.has(kPreprocessor))
    files.preprocessor = {source.path_of(kPreprocessor), source.read_text(kPreprocessor, kMaxConfigBytes)};
  return files;
}

ModelFiles open_path(const std::string& path, const ModelOptions& options) {
  switch (path_kind(path)) {
    case PathKind::kAbsent:
      if (is_hub_name(path)) {
        const HubEntry entry = find_in_hub_cache(path);
        const auto source = folder_source(entry.snapshot, entry.root);
        return read_files(*source, find_weights(*source), options);
      }
      throw Error(Code::kModel, path + ": expected a model folder or a safetensors file, found nothing there");
    case PathKind::kOther:
      throw Error(Code::kModel,
                  path + ": expected a model folder or a safetensors file, found neither a folder nor a regular file");
    case PathKind::kDirectory: {
      const auto source = folder_source(path);
      return read_files(*source, find_weights(*source), options);
    }
    case PathKind::kFile: break;
  }
  const size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  VIT_CHECK(name != kConfig, Code::kModel, path,
            ": expected a model folder or a safetensors file, found a configuration: name its ", "folder");
  return read_files(*folder_source(folder), name, options);
}

/// What a file seam or the memory refused, as an error of the model.
template <class Open>
ModelFiles translated(const std::string& path, Open open) {
  try {
    return open();
  } catch (const Error& error) {
    if (error.code() == Code::kIo) throw Error(Code::kModel, error.what());
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(Code::kMemory, path + ": out of memory while the model's files were read");
  }
}

}  // namespace

ModelFiles open_model_files(const std::string& path, const ModelOptions& options) {
  return translated(path, [&] { return open_path(path, options); });
}

ModelFiles open_model_files(const std::string& path, const std::vector<NamedBytes>& files, const ModelOptions& options) {
  return translated(path, [&] {
    const auto source = memory_source(path, files);
    return read_files(*source, find_weights(*source), options);
  });
}

}  // namespace vit
