// SPDX-License-Identifier: Apache-2.0
#include "runtime/model.h"

#include "ops/core/error.h"
#include "runtime/arch/family.h"
#include "runtime/io/model_folder.h"
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

}  // namespace

std::shared_ptr<const Model> Model::open(const std::string& path, const ModelOptions& options) {
  return read(path, open_model_files(path, options), options.architecture, {});
}

std::shared_ptr<const Model> Model::open(const std::string& path, const std::vector<NamedBytes>& files,
                                         const ModelOptions& options) {
  return read(path, open_model_files(path, files, options), options.architecture, {});
}

std::shared_ptr<const Model> Model::untrained(const std::string& architecture, const UntrainedSize& size) {
  ModelFiles files;
  files.weights = std::make_unique<WeightStore>();
  files.weights->set_maker(make_random_weights());
  return read(architecture, std::move(files), architecture, size);
}

std::shared_ptr<const QuantPolicy> Model::policy(const std::string& isa, const std::function<QuantPolicy()>& make) const {
  const std::lock_guard lock(policy_mutex_);
  std::shared_ptr<const QuantPolicy>& known = policies_[isa];
  if (!known) known = std::make_shared<const QuantPolicy>(make());
  return known;
}

std::shared_ptr<const Model> Model::read(const std::string& path, ModelFiles files, const std::string& architecture,
                                         const UntrainedSize& size) {
  BuiltModel built;
  if (architecture.empty()) {
    const JsonDocument json = parse_json(files.config.text, files.config.path);
    built = build_model(JsonFields(json, files.config.path), *files.weights);
  } else {
    built = build_timm_vit(architecture, *files.weights, size);
  }
  const auto model = std::make_shared<Model>();
  model->path_ = path;
  model->recipe_ = built.recipe ? std::move(*built.recipe) : make_recipe(files, built.config);
  model->config_ = std::move(built.config);
  model->graph_ = std::move(built.graph);
  model->weights_ = std::move(files.weights);
  return model;
}

}  // namespace vit
