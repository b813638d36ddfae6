// SPDX-License-Identifier: Apache-2.0
// A float32 pass in which something looks at what comes to each linear layer.
#pragma once

#include <functional>
#include <memory>

#include "runtime/step_maker.h"

namespace vit {

/// Makes our own steps; a linear layer's goes through watched().
class WatchedSteps : public StepMaker {
 public:
  WatchedSteps(const Model& model, const PlanOptions& options) : own_(make_own_steps(model, options)) {}

  int64_t stride(int64_t channels) const override { return own_->stride(channels); }
  bool has_heads() const override { return own_->has_heads(); }
  std::unique_ptr<Step> patches(const Node& tokens, const Node& patches, int64_t image_channels, PatchPositions positions,
                                BufferRef y) override {
    return own_->patches(tokens, patches, image_channels, positions, y);
  }
  std::unique_ptr<Step> linear(const Node& node, const LinearTail& tail, BufferRef x, BufferRef y) override {
    return watched(node, x, [this, &node, tail, x, y] { return own_->linear(node, tail, x, y); });
  }
  std::unique_ptr<Step> layer_norm(const Node& node, Precision operands, BufferRef x, BufferRef y) override {
    return own_->layer_norm(node, operands, x, y);
  }
  std::unique_ptr<Step> activation(const Node& node, BufferRef x, BufferRef y) override { return own_->activation(node, x, y); }
  std::unique_ptr<Step> gated_activation(const Node& node, BufferRef x, BufferRef y) override {
    return own_->gated_activation(node, x, y);
  }
  std::unique_ptr<Step> scale(const Node& node, BufferRef x, BufferRef y) override { return own_->scale(node, x, y); }
  std::unique_ptr<Step> add(const Node& node, BufferRef a, BufferRef b, BufferRef y) override { return own_->add(node, a, b, y); }
  HeadLayout head_layout(const Node& attention) const override { return own_->head_layout(attention); }
  std::unique_ptr<Step> qkv(const Node& linear, const Node& attention, const HeadBuffers& heads, const Work& queries,
                            BufferRef x) override {
    return watched(linear, x,
                   [this, &linear, &attention, heads, queries, x] { return own_->qkv(linear, attention, heads, queries, x); });
  }
  std::unique_ptr<Step> pack_heads(const Node& attention, const HeadBuffers& heads, BufferRef x) override {
    return own_->pack_heads(attention, heads, x);
  }
  std::unique_ptr<Step> attention(const Node& node, const HeadBuffers& heads, BufferRef y) override {
    return own_->attention(node, heads, y);
  }
  std::unique_ptr<Step> plain_attention(const Node& node, BufferRef qkv, BufferRef y) override {
    return own_->plain_attention(node, qkv, y);
  }

 protected:
  /// The step of a linear layer that reads x; `make` makes the plain one.
  virtual std::unique_ptr<Step> watched(const Node& linear, BufferRef x, std::function<std::unique_ptr<Step>()> make) = 0;

 private:
  std::unique_ptr<StepMaker> own_;
};

}  // namespace vit
