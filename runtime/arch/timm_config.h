// SPDX-License-Identifier: Apache-2.0
// What a timm configuration says: the registry's entry, `model_args` over it, and `pretrained_cfg`.
#pragma once

#include <optional>
#include <string>

#include "ops/activation.h"
#include "runtime/arch/timm_registry.h"
#include "runtime/io/json_fields.h"
#include "runtime/model.h"

namespace vit {

enum class TimmPool { kToken, kAvg, kAvgMax, kMax, kMap, kPrr, kNone };
enum class TimmBlock { kPlain, kResPost, kParallelThings, kParallelScaling, kDiffParallelScaling };
enum class TimmMlp { kPlain, kSwiGlu, kSwiGluPacked };
enum class TimmAttention { kPlain, kDifferential };

struct TimmNorm {
  enum class Kind { kLayer, kRms } kind = Kind::kLayer;
  float eps = 1e-6f;
};

/// Arguments of VisionTransformer under the names that they have there.
struct TimmConfig {
  ModelConfig model;
  TimmPool global_pool = TimmPool::kToken;
  TimmBlock block_fn = TimmBlock::kPlain;
  TimmMlp mlp_layer = TimmMlp::kPlain;
  TimmAttention attn_layer = TimmAttention::kPlain;
  TimmNorm norm_layer;
  std::optional<TimmNorm> embed_norm_layer;
  Activation act_layer = Activation::kGelu;
  int64_t mlp_hidden = 0, reg_tokens = 0, num_classes = 0;
  bool qkv_bias = true, qk_norm = false, scale_attn_norm = false, scale_mlp_norm = false, proj_bias = true;
  std::optional<double> init_values;
  bool class_token = true, distilled = false, no_embed_class = false, pos_embed = true, pre_norm = false, final_norm = true;
  bool fc_norm = false, pool_include_prefix = false;
};

/// The texts that a model's numbers come from. Like timm, an argument is looked for in the file's model_args, then in the
/// registry's entry; preprocessing comes from the file as a whole, or else from the registry's tag.
class TimmSource {
 public:
  /// From a config.json whose `architecture` is a name of the registry. Refers to `config`. Throws Error(kModel).
  explicit TimmSource(const JsonFields& config);
  /// From a name alone, with sizes that take the place of the registered ones.
  explicit TimmSource(const std::string& name, const UntrainedSize& size = {});

  const TimmEntry& entry() const { return entry_; }
  /// Where an argument of the class is to be read, under the same key; its value may be absent there, too.
  JsonFields argument(const std::string& key) const;
  JsonFields pretrained() const;
  /// Null without a configuration file: then the weights know the number of classes.
  const JsonFields* file() const { return file_ ? &*file_ : nullptr; }
  /// Throws unless every member of model_args is an argument of the class.
  void check_arguments() const;

 private:
  TimmEntry entry_;
  JsonDocument registry_arguments_, registry_pretrained_;
  std::optional<JsonFields> file_, file_arguments_, file_pretrained_;
};

/// Every argument in its range.
TimmConfig read_timm_config(const TimmSource& source, const WeightStore& store);

}  // namespace vit
