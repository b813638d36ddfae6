// SPDX-License-Identifier: Apache-2.0
// Steps on oneDNN's primitives.
#include "ops/core/error.h"
#include "runtime/packed_weights.h"
#include "runtime/step_maker.h"

#if defined(VIT_HAVE_ONEDNN)
#include "ops/onednn/onednn.h"
#include "ops/onednn/steps.h"
#endif

namespace vit {

#if defined(VIT_HAVE_ONEDNN)
namespace {

class OneDnnSteps final : public StepMaker {
 public:
  OneDnnSteps(const Model& model, const PlanOptions& options) : model_(model), options_(options) {}

  int64_t stride(int64_t channels) const override { return channels; }
  bool has_heads() const override { return false; }

  std::unique_ptr<Step> patches(const Node& tokens, const Node& patches, int64_t image_channels, PatchPositions positions,
                                BufferRef y) override {
    auto step = make<OneDnnPatchEmbedStep>("patches in blocks");
    step->channels = tokens.channels, step->image_channels = image_channels;
    step->patch_height = patches.patch_height, step->patch_width = patches.patch_width;
    step->prefix = prefix_rows(tokens);
    step->positions = positions;
    if (options_.pixels) step->normalisation = model_.recipe().normalisation();
    step->y = y;
    LinearTail tail;
    tail.accumulate = true;
    step->projection = linear_primitive(patches, tail, step->patch_floats(), y.stride);
    return step;
  }
  std::unique_ptr<Step> linear(const Node& node, const LinearTail& tail, BufferRef x, BufferRef y) override {
    auto step = make<OneDnnLinearStep>("");
    step->linear = linear_primitive(node, tail, x.stride, y.stride);
    step->x = x, step->y = y;
    step->implementation = std::string("onednn ") + step->linear->implementation();
    return step;
  }
  std::unique_ptr<Step> layer_norm(const Node& node, Precision, BufferRef x, BufferRef y) override {
    auto step = make<OneDnnLayerNormStep>("layer_normalization");
    step->norm = std::make_shared<OneDnnLayerNorm>(node.channels, node.eps, floats_of(node.norm.gamma).data(),
                                                   floats_of(node.norm.beta).data(), x.stride, y.stride);
    step->x = x, step->y = y;
    return step;
  }
  std::unique_ptr<Step> activation(const Node& node, BufferRef x, BufferRef y) override {
    auto step = make<OneDnnActivationStep>("eltwise");
    step->activation = std::make_shared<OneDnnActivation>(node.channels, node.activation);
    step->x = x, step->y = y;
    return step;
  }
  std::unique_ptr<Step> gated_activation(const Node& node, BufferRef x, BufferRef y) override {
    auto step = make<OneDnnGatedActivationStep>("eltwise, binary");
    step->activation = std::make_shared<OneDnnActivation>(node.channels, node.activation);
    step->multiply = std::make_shared<OneDnnBinary>(node.channels, OneDnnPairwise::kMultiply);
    step->x = x, step->y = y, step->channels = node.channels;
    return step;
  }
  std::unique_ptr<Step> scale(const Node& node, BufferRef x, BufferRef y) override {
    auto step = make<OneDnnScaleStep>("binary");
    step->multiply = std::make_shared<OneDnnBinary>(node.channels, OneDnnPairwise::kMultiply);
    step->gamma = padded_floats(node.scale, 1);
    step->x = x, step->y = y;
    return step;
  }
  std::unique_ptr<Step> add(const Node& node, BufferRef a, BufferRef b, BufferRef y) override {
    auto step = make<OneDnnAddStep>("binary");
    step->add = std::make_shared<OneDnnBinary>(node.channels, OneDnnPairwise::kAdd);
    step->a = a, step->b = b, step->y = y;
    return step;
  }

  HeadLayout head_layout(const Node& attention) const override {
    return {attention.num_heads, attention.channels / attention.num_heads, 1};
  }
  std::unique_ptr<Step> qkv(const Node&, const Node&, const HeadBuffers&, const Work&, BufferRef) override { return nullptr; }
  std::unique_ptr<Step> pack_heads(const Node&, const HeadBuffers&, BufferRef) override { return nullptr; }
  std::unique_ptr<Step> attention(const Node&, const HeadBuffers&, BufferRef) override { return nullptr; }
  std::unique_ptr<Step> plain_attention(const Node& node, BufferRef qkv, BufferRef y) override {
    auto step = make<OneDnnAttentionStep>("matmul, softmax, matmul");
    step->attention = std::make_shared<OneDnnAttention>(node.num_heads, node.channels / node.num_heads, qkv.stride, y.stride);
    step->qkv = qkv, step->y = y, step->channels = node.channels;
    return step;
  }

 private:
  template <class S>
  std::unique_ptr<S> make(const char* implementation) const {
    auto step = std::make_unique<S>();
    step->implementation = std::string("onednn ") + implementation;
    return step;
  }
  std::shared_ptr<OneDnnLinear> linear_primitive(const Node& node, const LinearTail& tail, int64_t x_stride, int64_t y_stride) {
    const LinearFloats floats = linear_floats(node.linear);
    const std::vector<float> gamma = tail.gamma != nullptr ? floats_of(*tail.gamma) : std::vector<float>();
    OneDnnLinearParams params;
    params.in = floats.in, params.out = floats.out, params.x_stride = x_stride, params.y_stride = y_stride;
    params.weight = floats.weight.data(), params.bias = floats.bias.data();
    params.gamma = gamma.empty() ? nullptr : gamma.data();
    params.activation = tail.activation, params.accumulate = tail.accumulate;
    weight_bytes_ += (floats.in + 1) * floats.out * static_cast<int64_t>(sizeof(float));
    return std::make_shared<OneDnnLinear>(params);
  }

  const Model& model_;
  const PlanOptions& options_;
};

}  // namespace

std::unique_ptr<StepMaker> make_onednn_steps(const Model& model, const PlanOptions& options) {
  const Isa isa = choose_isa(options.kernels->isa);
  if (isa != usable_isas().back()) onednn_cap_isa(isa);
  return std::make_unique<OneDnnSteps>(model, options);
}

#else

std::unique_ptr<StepMaker> make_onednn_steps(const Model&, const PlanOptions&) {
  throw Error(Code::kUnsupported, "backend onednn: this build was made without oneDNN");
}

#endif

}  // namespace vit
