// SPDX-License-Identifier: Apache-2.0
// The body that transformers' ViT, DeiT, ViT-MSN, ViT-MAE and I-JEPA have in common, all of them under ViT's names of tensors.
#pragma once

#include "runtime/arch/family.h"
#include "runtime/arch/hf_parts.h"

namespace vit {

/// Tokens, blocks and the final norm. The features are set as the graph's output.
struct HfBody {
  Weights weights;  ///< all of the file
  Weights w;        ///< the body's, its prefix stripped
  std::string prefix;
  Value features;  ///< [rows, C]
};

/// What the four configurations have beside read_hf_config(): the MLP's width.
HfConfig read_hf_vit_config(const JsonFields& config, double layer_norm_eps);

/// `prefix`: of the tensors of classes with a head ("vit.").
HfBody build_hf_body(Graph& g, const JsonFields& config, const WeightStore& store, const HfConfig& c, const std::string& prefix);

/// The class token's features as the embedding; act(dense(...)) of them where the file of a base model has a pooler.
void set_embedding(Graph& g, const JsonFields& config, const HfBody& body, int64_t channels, Value pooled, bool has_head);

/// A classifier of `pooled` under this name. Reads the labels into `m` with the first one.
Value classify(Graph& g, const JsonFields& config, const HfBody& body, ModelConfig& m, Value pooled, const std::string& name,
               const std::string& node);

/// Marks what these classes have and inference does not need, and refuses any other tensor that was not asked for.
void finish(const HfBody& body);

}  // namespace vit
