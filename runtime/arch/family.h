// SPDX-License-Identifier: Apache-2.0
// From a configuration and its tensors to a graph: which families there are, and who builds them.
#pragma once

#include <optional>
#include <string>

#include "runtime/graph.h"
#include "runtime/io/json_fields.h"
#include "runtime/model.h"

namespace vit {

struct BuiltModel {
  ModelConfig config;
  Graph graph;
  std::optional<Recipe> recipe = {};  ///< of a family whose configuration says how pictures are prepared
};

/// Builds the graph of the family that config.json names: `architecture` by timm, `model_type` by transformers. Every number is
/// checked against the tensors, every tensor is accounted for. Throws Error(kModel): one sentence that names the field or the
/// tensor.
BuiltModel build_model(const JsonFields& config, const WeightStore& store);

/// The families, one page each.
BuiltModel build_hf_vit(const JsonFields& config, const WeightStore& store);
BuiltModel build_hf_deit(const JsonFields& config, const WeightStore& store);
BuiltModel build_hf_vit_msn(const JsonFields& config, const WeightStore& store);
BuiltModel build_hf_vit_mae(const JsonFields& config, const WeightStore& store);
BuiltModel build_hf_ijepa(const JsonFields& config, const WeightStore& store);
BuiltModel build_hf_dinov2(const JsonFields& config, const WeightStore& store);
BuiltModel build_timm_vit(const JsonFields& config, const WeightStore& store);

/// A model of timm's registry by its name alone, with or without tag ("vit_small_patch16_224.augreg_in1k"). The number of classes
/// is that of the weights. A size other than the registered one is for weights that are made up.
BuiltModel build_timm_vit(const std::string& name, const WeightStore& store, const UntrainedSize& size);

}  // namespace vit
