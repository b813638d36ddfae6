// SPDX-License-Identifier: Apache-2.0
#include "tests/arch/models.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "ops/core/error.h"
#include "runtime/io/safetensors.h"

namespace vit {
namespace {

constexpr uint64_t kHeaderLimit = uint64_t{1} << 20;

std::vector<std::string> safetensors_in(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::vector<std::string> fixture_models() {
  return {"vit-classifier",    "vit-rectangle",   "vit-pooler",
          "dinov2-classifier", "dinov2-swiglu",   "dinov2-registers",
          "deit-teacher",      "deit-classifier", "deit-pooler",
          "vit-msn",           "vit-mae",         "dinov2-registers-swiglu",
          "ijepa-classifier",  "ijepa",           "timm-registers",
          "timm-map",          "timm-distilled",  "timm-swiglu",
          "timm-things",       "timm-parallel",   "timm-differential",
          "timm-post-norm",    "timm-tokens",     "timm-padded"};
}

std::vector<std::string> fixture_checkpoints() {
  std::vector<std::string> names;
  for (const char* name : {"clip", "aimv2", "dinov2", "deit3", "open-clip", "tipsv2", "beit3"})
    names.push_back(std::string("../checkpoints/") + name);
  return names;
}

std::string fixture_folder(const std::string& name) { return std::string(VIT_SOURCE_DIR) + "/tests/fixtures/models/" + name; }

Goldens read_goldens(const std::string& path) {
  const Mapping file(path);
  Goldens goldens;
  for (const Tensor& tensor : parse_safetensors(file.bytes(), path, kHeaderLimit).tensors) {
    GoldenTensor& golden = goldens[tensor.name];
    golden.shape = tensor.shape;
    golden.values.resize(static_cast<size_t>(tensor.shape.elements()));
    tensor.to_float(0, tensor.shape.elements(), golden.values.data());
  }
  return goldens;
}

std::vector<std::string> golden_files(const std::string& folder) { return safetensors_in(folder + "/goldens"); }

Parts::Parts(const std::string& name) {
  const std::string folder = fixture_folder(name), path = folder + "/config.json";
  const std::vector<uint8_t> text = read_file(path, kHeaderLimit);
  config = parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, path);
  for (const std::string& file : safetensors_in(folder)) {
    files_.emplace_back(file);
    for (Tensor& tensor : parse_safetensors(files_.back().bytes(), file, kHeaderLimit).tensors)
      tensors.push_back(std::move(tensor));
  }
}

BuiltModel Parts::build() const {
  WeightStore store;
  for (const Tensor& tensor : tensors) store.add(tensor);
  return build_model(JsonFields(config, "config.json"), store);
}

std::string Parts::refusal() const {
  try {
    build();
  } catch (const Error& error) {
    return error.code() == Code::kModel ? error.what() : "the wrong code";
  }
  return "";
}

Tensor& Parts::tensor(const std::string& name) {
  for (Tensor& tensor : tensors)
    if (tensor.name == name) return tensor;
  throw std::runtime_error("the fixture has no tensor " + name);
}

void Parts::rename(const std::string& from, const std::string& to) { tensor(from).name = to; }

void Parts::remove(const std::string& name) {
  const Tensor* const doomed = &tensor(name);
  tensors.erase(tensors.begin() + (doomed - tensors.data()));
}

void Parts::add(const std::string& name, const Shape& shape) {
  Tensor added = tensors.at(0);
  added.name = name;
  added.shape = shape;
  tensors.push_back(std::move(added));
}

}  // namespace vit
