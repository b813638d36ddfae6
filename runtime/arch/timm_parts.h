// SPDX-License-Identifier: Apache-2.0
// What the blocks of timm's Vision Transformers are made of; names as in timm.layers.
#pragma once

#include <string>
#include <vector>

#include "runtime/arch/layer_weights.h"
#include "runtime/arch/timm_config.h"
#include "runtime/graph.h"

namespace vit {

inline Bias timm_proj_bias(const TimmConfig& c) { return c.proj_bias ? Bias::kYes : Bias::kNo; }

/// Patch embedding, its norm, positions and prefix tokens (PatchEmbed.forward, _pos_embed). w: the model's weights.
Value timm_embed(Graph& g, const TimmSource& source, const Weights& w, const TimmConfig& c);

/// The model's kind of norm with the weights under `key`.
Value timm_norm(Graph& g, Value x, const Weights& w, const std::string& key, const TimmConfig& c, const std::string& name);

/// x * gamma, or x in a model without LayerScale.
Value timm_layer_scale(Graph& g, Value x, const Weights& w, const std::string& key, const TimmConfig& c, const std::string& name);

/// Attention.forward or DiffAttention.forward. w: the attention's weights.
Value timm_attention(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name);
/// From queries, keys and values [rows, 3C] to the heads' outputs [rows, C], with norms of q and k.
Value timm_heads(Graph& g, Value qkv, const Weights& w, const TimmConfig& c, const std::string& name);
/// The same for differential attention (Ye et al. 2024, "Differential Transformer"), with the norm of its heads.
Value timm_differential_heads(Graph& g, Value qkv, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name);

/// Mlp, SwiGLU or GluMlp. w: the MLP's weights.
Value timm_mlp(Graph& g, Value x, const Weights& w, const TimmConfig& c, const std::string& name);

/// Names of the classes: label_descriptions of label_names where the file has them, else ImageNet's by their number.
std::vector<std::string> timm_labels(const TimmSource& source, int64_t count);

}  // namespace vit
