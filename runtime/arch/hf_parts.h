// SPDX-License-Identifier: Apache-2.0
// What the pages of Hugging Face's plain ViTs share: weights under their several names, and the steps that are the same in all of
// them.
#pragma once

#include <initializer_list>
#include <string>

#include "runtime/arch/hf_config.h"
#include "runtime/arch/layer_weights.h"

namespace vit {

/// Which of several names of one layer the file has; the first when it has none of them, so that a sentence names that one.
std::string name_in_file(const Weights& w, std::initializer_list<const char*> names);

/// `prefix` when the file's embeddings stand under it, else nothing: base models are saved without the prefix of the others.
std::string prefix_in_file(const WeightStore& store, const std::string& prefix);

/// The layers' common prefix in the file, `body` included where it has that, after comparing their number with num_hidden_layers.
/// "encoder.layer." or "layers."; transformers 5.23 saves ViT-MSN's classifiers with the body's prefix everywhere but here.
std::string layers_in_file(const JsonFields& config, const WeightStore& store, const std::string& body, int64_t depth);

/// How a class of transformers takes its positions when an image has the model's own size.
enum class NativePositions {
  kAsStored,  ///< always as they stand
  kIfSquare   ///< only for square images; others are resampled from the square as which the table is seen
};

/// Patches with their positions, after the class, distillation and register tokens that the model has: patch_embed, positions,
/// tokens. w: the body's weights.
Value embed(Graph& g, const JsonFields& config, const Weights& w, const HfConfig& c, NativePositions native, bool antialias);

/// norm, queries, keys and values, attention, projection; without the residual. w: the layer's weights.
Value self_attention(Graph& g, Value x, const JsonFields& config, const Weights& w, const HfConfig& c, const std::string& block);

}  // namespace vit
