// SPDX-License-Identifier: Apache-2.0
// A model as its files describe it: configuration, recipe, graph and weights. Immutable and shared between threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quant/policy.h"
#include "runtime/graph.h"
#include "runtime/image/recipe.h"
#include "runtime/packed_weights.h"
#include "runtime/weights.h"

namespace vit {

struct ModelFiles;
struct VitFile;

/// A file of a model in memory; `name` as in the model's folder.
struct NamedBytes {
  std::string name;
  Bytes bytes;
};

struct ModelOptions {
  uint64_t max_header_bytes = uint64_t{16} << 20;  ///< of a safetensors file
  std::string architecture;  ///< a name of timm's registry for weights without a configuration; config.json is not read then
};

/// What a model was made from beside its tensors, as texts.
struct ModelSource {
  std::string config, preprocessor, architecture;
};

/// Square sides in pixels that stand for the registry's; 0: as registered.
struct UntrainedSize {
  int64_t image = 0, patch = 0;
};

/// What becomes of the pixels at the right and the bottom that make no whole patch: they are left out, or zeros (after
/// normalisation) complete the patch.
enum class Remainder { kDropped, kPadded };

/// Numbers of one model, whatever its family; each was checked against the tensors.
struct ModelConfig {
  std::string family;        ///< model_type as the configuration has it: "vit", "deit", "dinov2", ...; of timm's files "timm"
  std::string architecture;  ///< class name, or timm's name of the model, as the configuration has it, or empty
  int64_t embed_dim = 0, depth = 0, num_heads = 0, mlp_dim = 0;
  int64_t image_height = 0, image_width = 0, channels = 3;
  int64_t patch_height = 0, patch_width = 0;
  Remainder remainder = Remainder::kDropped;
  int64_t num_registers = 0;
  bool distilled = false;           ///< whether a distillation token follows the class token
  std::vector<std::string> labels;  ///< empty without a classifier
  bool multi_label = false;         ///< whether several of them may be true at once
};

class Model {
 public:
  /// Throws Error(kModel or kIo): one sentence that names the file and the field or tensor.
  static std::shared_ptr<const Model> open(const std::string& path, const ModelOptions& options = {});
  /// The same from memory (the model inside vit-infer). `path` names it in sentences. The bytes must outlive the model.
  static std::shared_ptr<const Model> open(const std::string& path, const std::vector<NamedBytes>& files,
                                           const ModelOptions& options = {});

  /// A model of timm's registry with random weights, for measuring. Throws Error(kModel).
  static std::shared_ptr<const Model> untrained(const std::string& architecture, const UntrainedSize& size = {});

  const std::string& path() const { return path_; }
  const ModelConfig& config() const { return config_; }
  const Recipe& recipe() const { return recipe_; }
  const Graph& graph() const { return graph_; }
  const WeightStore& weights() const { return *weights_; }
  const ModelSource& source() const { return source_; }
  /// Of a model in a .vit file; null otherwise.
  const VitFile* vit_file() const { return vit_file_.get(); }
  /// What it is computed in unless a session says otherwise.
  Precision precision() const;
  /// Weights packed for kernels, shared by all plans of this model. Thread-safe.
  PackCache& packs() const { return *packs_; }
  /// What calibration decided for a kernel table, kept for the next session. Thread-safe.
  std::shared_ptr<const QuantPolicy> policy(const std::string& isa, const std::function<QuantPolicy()>& make) const;

 private:
  static std::shared_ptr<const Model> read(const std::string& path, ModelFiles files, const UntrainedSize& size = {});
  void check_vit_file() const;
  std::string path_;
  ModelConfig config_;
  Recipe recipe_;
  ModelSource source_;
  std::shared_ptr<const VitFile> vit_file_;
  Graph graph_;
  std::unique_ptr<WeightStore> weights_;
  std::unique_ptr<PackCache> packs_ = std::make_unique<PackCache>();
  mutable std::mutex policy_mutex_;
  mutable std::map<std::string, std::shared_ptr<const QuantPolicy>> policies_;
};

}  // namespace vit
