// SPDX-License-Identifier: Apache-2.0
// Decides layer by layer what 8 bits are enough for: one seeded picture goes through the model in float32, and each linear layer
// is tried in 8 bits on what comes to it. No picture of a user is ever needed.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "quant/policy.h"
#include "runtime/step_maker.h"

namespace vit {

struct CalibrationOptions {
  double min_cosine = kDefaultMinCosine;
  /// What the user wants a layer to be computed in, if anything.
  std::function<std::optional<Precision>(const std::string& layer)> wish = nullptr;
  bool measure = false;  ///< fills LayerChoice::with_levels, for 8-bit and 7-bit activations where this CPU has both
  std::function<void()> after_layer = nullptr;  ///< may throw, which ends the calibration
};

/// Makes the steps of the float32 pass. Only one layer's float32 weights exist at a time: a linear step packs them when it runs,
/// tries the layer, and frees them.
class CalibratingSteps final : public StepMaker {
 public:
  /// `options` are those of the pass, in float32.
  CalibratingSteps(const Model& model, const PlanOptions& options, const CalibrationOptions& calibration);

  /// After the pass. Throws what a step met: Error(kMemory), or what after_layer threw.
  QuantPolicy policy();
  /// The 8-bit weights that were tried and are wanted: as long as somebody holds them, sessions need not make them again.
  std::vector<std::shared_ptr<const PackedLinear>> packed() { return std::move(packed_); }

  int64_t stride(int64_t channels) const override { return own_->stride(channels); }
  bool has_heads() const override { return own_->has_heads(); }
  std::unique_ptr<Step> patches(const Node& tokens, const Node& patches, int64_t image_channels, PatchPositions positions,
                                BufferRef y) override {
    return own_->patches(tokens, patches, image_channels, positions, y);
  }
  std::unique_ptr<Step> linear(const Node& node, const LinearTail& tail, BufferRef x, BufferRef y) override;
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
                            BufferRef x) override;
  std::unique_ptr<Step> pack_heads(const Node& attention, const HeadBuffers& heads, BufferRef x) override {
    return own_->pack_heads(attention, heads, x);
  }
  std::unique_ptr<Step> attention(const Node& node, const HeadBuffers& heads, BufferRef y) override {
    return own_->attention(node, heads, y);
  }
  std::unique_ptr<Step> plain_attention(const Node& node, BufferRef qkv, BufferRef y) override {
    return own_->plain_attention(node, qkv, y);
  }

 private:
  class TriedStep;
  std::unique_ptr<Step> tried(const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make);
  void try_layer(const Node& node, const Pass& pass, BufferRef x, int64_t begin, int64_t end);
  const Node* movable_norm(const Node& linear) const;

  const Model& model_;
  const PlanOptions& options_;
  const CalibrationOptions& calibration_;
  std::unique_ptr<StepMaker> own_;
  QuantPolicy policy_;
  std::vector<std::shared_ptr<const PackedLinear>> packed_;
  std::exception_ptr failure_;
};

/// A picture that has something of photos, of a model's own size and the same for everybody.
class SeededInput {
 public:
  explicit SeededInput(const ModelConfig& config);
  /// Of a model of three channels.
  PixelView pixels() const { return {picture_.data(), height_, width_, width_ * 3}; }
  /// Of any other: -1 .. 1, the picture's first channel for all.
  const std::vector<float>& planes() const { return planes_; }

 private:
  int64_t height_, width_;
  std::vector<uint8_t> picture_;
  std::vector<float> planes_;
};

/// Random fields of five sizes, the larger the stronger: [height, width, 3].
std::vector<uint8_t> seeded_picture(int64_t height, int64_t width);

}  // namespace vit
