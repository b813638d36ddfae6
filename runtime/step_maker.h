// SPDX-License-Identifier: Apache-2.0
// Who computes what: the plan asks for a step, a backend makes it. Two complete backends exist and check each other.
#pragma once

#include <memory>

#include "ops/attention.h"
#include "ops/patch_embed.h"
#include "ops/step.h"
#include "runtime/plan.h"

namespace vit {

/// What the plan fuses behind a linear layer: y = act(x W + b), or y = y + [gamma *] (x W + b).
struct LinearTail {
  Activation activation = Activation::kNone;
  bool accumulate = false;
  const Tensor* gamma = nullptr;
  Precision result = Precision::kF32;  ///< kBF16: y as the next layer's operands, when the weights are narrow
};

class StepMaker {
 public:
  virtual ~StepMaker() = default;

  /// Distance of rows that this backend likes in a buffer of `channels` columns.
  virtual int64_t stride(int64_t channels) const = 0;
  /// Whether queries, keys and values are written where attention reads them (qkv(), pack_heads()), or attention reads a plain
  /// [rows, 3C] value (plain_attention()).
  virtual bool has_heads() const = 0;

  /// Whether threads can share the columns of a linear layer (Work::columns).
  virtual bool shares_columns() const { return false; }

  /// What a linear layer's operands are: its x is made so by the step that computes it, or by operands().
  virtual Precision precision(const Node& linear) const {
    (void)linear;
    return Precision::kF32;
  }
  virtual std::unique_ptr<Step> operands(const Node& value, Precision precision, BufferRef x, BufferRef y) {
    (void)value, (void)precision, (void)x, (void)y;
    return nullptr;  // float32 needs none
  }

  virtual std::unique_ptr<Step> patches(const Node& tokens, const Node& patches, int64_t image_channels, PatchPositions positions,
                                        BufferRef y) = 0;
  virtual std::unique_ptr<Step> linear(const Node& node, const LinearTail& tail, BufferRef x, BufferRef y) = 0;
  virtual std::unique_ptr<Step> layer_norm(const Node& node, Precision operands, BufferRef x, BufferRef y) = 0;
  virtual std::unique_ptr<Step> activation(const Node& node, BufferRef x, BufferRef y) = 0;
  virtual std::unique_ptr<Step> gated_activation(const Node& node, BufferRef x, BufferRef y) = 0;
  virtual std::unique_ptr<Step> scale(const Node& node, BufferRef x, BufferRef y) = 0;
  virtual std::unique_ptr<Step> add(const Node& node, BufferRef a, BufferRef b, BufferRef y) = 0;

  virtual HeadLayout head_layout(const Node& attention) const = 0;
  virtual std::unique_ptr<Step> qkv(const Node& linear, const Node& attention, const HeadBuffers& heads, const Work& queries,
                                    BufferRef x) = 0;
  virtual std::unique_ptr<Step> pack_heads(const Node& attention, const HeadBuffers& heads, BufferRef x) = 0;
  virtual std::unique_ptr<Step> attention(const Node& node, const HeadBuffers& heads, BufferRef y) = 0;
  virtual std::unique_ptr<Step> plain_attention(const Node& node, BufferRef qkv, BufferRef y) = 0;

  /// Of the weights that steps made so far hold.
  int64_t weight_bytes() const { return weight_bytes_; }

 protected:
  int64_t weight_bytes_ = 0;
};

std::unique_ptr<StepMaker> make_own_steps(const Model& model, const PlanOptions& options);
/// Throws Error(kUnsupported) in a build without oneDNN.
std::unique_ptr<StepMaker> make_onednn_steps(const Model& model, const PlanOptions& options);

/// compile() with the steps of `maker`, which has to outlive the plan if its steps say so.
Plan compile(const Model& model, const PlanOptions& options, StepMaker& maker);

/// Steps that both backends share: oneDNN has no primitive for them. They run on the plan's kernels.
std::unique_ptr<Step> make_rms_norm(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y);
std::unique_ptr<Step> make_head_norm(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y);
/// `norm`: a kLayerNorm or kRmsNorm node that stands on patches before they have positions.
std::unique_ptr<Step> make_patch_norm(const Node& norm, const KernelTable& kernels, int64_t prefix_rows, BufferRef y);
std::unique_ptr<Step> make_mean_rows(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y);
std::unique_ptr<Step> make_max_rows(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y);
std::unique_ptr<Step> make_attention_pool(const Node& node, const KernelTable& kernels, BufferRef kv, BufferRef y);

/// The prefix rows of a tokens node as float32, positions added.
std::vector<PrefixRow> prefix_rows(const Node& tokens);

}  // namespace vit
