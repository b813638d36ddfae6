// SPDX-License-Identifier: Apache-2.0
#include "runtime/model.h"

#include "ops/core/error.h"
#include "runtime/arch/family.h"
#include "runtime/io/model_folder.h"
#include "runtime/io/printable.h"
#include "runtime/random_weights.h"

namespace vit {
namespace {

Recipe make_recipe(const ModelFiles& files, const ModelConfig& config) {
  if (!files.preprocessor) return default_recipe(config.family, config.image_height, config.image_width);
  const JsonDocument json = parse_json(files.preprocessor.text, files.preprocessor.path);
  Recipe recipe = recipe_from_preprocessor(json, files.preprocessor.path, config.family);
  const auto size = recipe.fixed_size();
  VIT_CHECK(!size || (size->height >= config.patch_height && size->width >= config.patch_width), Code::kModel,
            files.preprocessor.path, ": size: expected pictures of at least one patch, ", config.patch_height, " x ",
            config.patch_width, ", found ", size->height, " x ", size->width);
  return recipe;
}

void check_layer(const std::string& path, const Graph& graph, const std::string& name, const LayerChoice& choice,
                 const StoredLayer* stored) {
  const int id = graph.find(name);
  const Node* const node = id < 0 ? nullptr : &graph.nodes()[static_cast<size_t>(id)];
  VIT_CHECK(node != nullptr && node->kind == NodeKind::kLinear, Code::kModel, path, ": layer ", printable(name),
            ": expected a linear layer of the model, found ", node == nullptr ? "none of this name" : node_kind_name(node->kind));
  VIT_CHECK(stored == nullptr || (stored->packed.in == node->linear.in && stored->packed.out == node->linear.out), Code::kModel,
            path, ": layer ", printable(name), ": expected [", node->linear.out, ", ", node->linear.in, "], the file has [",
            stored->packed.out, ", ", stored->packed.in, "]");
  if (choice.column_factor.empty()) return;
  const Node& norm = graph.nodes()[static_cast<size_t>(node->inputs[0])];
  VIT_CHECK(norm.kind == NodeKind::kLayerNorm && norm.name == choice.norm &&
                norm.channels == static_cast<int64_t>(choice.column_factor.size()),
            Code::kModel, path, ": layer ", printable(name), ": norm: expected the LayerNorm before the layer, found ",
            printable(choice.norm));
}

}  // namespace

/// That its layers are those of the graph.
void Model::check_vit_file() const {
  if (vit_file_->policy)
    for (const auto& [name, choice] : vit_file_->policy->layers) check_layer(path_, graph_, name, choice, nullptr);
  for (const auto& [name, layer] : vit_file_->layers) check_layer(path_, graph_, name, {}, &layer);
}

std::shared_ptr<const Model> Model::open(const std::string& path, const ModelOptions& options) {
  return read(path, open_model_files(path, options));
}

std::shared_ptr<const Model> Model::open(const std::string& path, const std::vector<NamedBytes>& files,
                                         const ModelOptions& options) {
  return read(path, open_model_files(path, files, options));
}

std::shared_ptr<const Model> Model::untrained(const std::string& architecture, const UntrainedSize& size) {
  ModelFiles files;
  files.weights = std::make_unique<WeightStore>();
  files.weights->set_maker(make_random_weights());
  files.architecture = architecture;
  return read(architecture, std::move(files), size);
}

Precision Model::precision() const { return vit_file_ ? vit_file_->precision : Precision::kF32; }

std::shared_ptr<const QuantPolicy> Model::policy(const std::string& isa, const std::function<QuantPolicy()>& make) const {
  if (vit_file_ && vit_file_->policy) return vit_file_->policy;
  const std::lock_guard lock(policy_mutex_);
  std::shared_ptr<const QuantPolicy>& known = policies_[isa];
  if (!known) known = std::make_shared<const QuantPolicy>(make());
  return known;
}

std::shared_ptr<const Model> Model::read(const std::string& path, ModelFiles files, const UntrainedSize& size) {
  BuiltModel built;
  if (files.architecture.empty()) {
    const JsonDocument json = parse_json(files.config.text, files.config.path);
    built = build_model(JsonFields(json, files.config.path), *files.weights);
  } else {
    built = build_timm_vit(files.architecture, *files.weights, size);
  }
  const auto model = std::make_shared<Model>();
  model->path_ = path;
  model->recipe_ = built.recipe ? std::move(*built.recipe) : make_recipe(files, built.config);
  model->config_ = std::move(built.config);
  model->graph_ = std::move(built.graph);
  model->weights_ = std::move(files.weights);
  model->source_ = {std::move(files.config.text), std::move(files.preprocessor.text), std::move(files.architecture)};
  model->vit_file_ = std::move(files.vit);
  if (model->vit_file_) model->check_vit_file();
  return model;
}

}  // namespace vit
