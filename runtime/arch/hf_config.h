// SPDX-License-Identifier: Apache-2.0
// The fields that Hugging Face's configurations of plain ViTs have in common. Files record only what differs from the class's
// defaults.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "ops/activation.h"
#include "runtime/arch/size_ranges.h"
#include "runtime/io/json_fields.h"
#include "runtime/model.h"

namespace vit {

/// What a class has when its file is silent; the rest is the same for all of them.
struct HfDefaults {
  double layer_norm_eps = 0;
  int64_t patch_size = 0;
};

struct HfConfig {
  ModelConfig model;
  float eps = 0;
  Activation activation = Activation::kNone;
  bool qkv_bias = true, class_token = true;
};

HfConfig read_hf_config(const JsonFields& config, const HfDefaults& defaults);

Activation read_activation(const JsonFields& config, const std::string& key, const std::string& otherwise);

/// The class that `architectures` names first, one of `classes`; nothing where it is silent. Refuses other classes by name.
std::optional<std::string> read_class(const JsonFields& config, std::initializer_list<std::string> classes);

/// Whether the model ends in a classifier: by `architectures`, or by the tensors where that is silent. Refuses other classes by
/// name.
bool read_has_classifier(const JsonFields& config, const WeightStore& store, const std::string& base_class,
                         const std::string& classifier_class);

/// The class names in the order of the logits: id2label; without it ImageNet's for a num_labels that is one of its lists', or,
/// when that is absent too, for `classes`, the outputs that the file's classifier has; otherwise LABEL_0.. for num_labels (2) of
/// them.
std::vector<std::string> read_labels(const JsonFields& config, int64_t classes);

}  // namespace vit
