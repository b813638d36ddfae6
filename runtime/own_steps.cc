// SPDX-License-Identifier: Apache-2.0
// Steps on our own kernels.
#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/operands.h"
#include "runtime/packed_weights.h"
#include "runtime/step_maker.h"

namespace vit {
namespace {

class OwnSteps final : public StepMaker {
 public:
  OwnSteps(const Model& model, const PlanOptions& options) : model_(model), options_(options) {}

  int64_t stride(int64_t channels) const override { return row_stride(channels); }
  bool has_heads() const override { return true; }
  bool shares_columns() const override { return true; }

  Precision precision(const Node& linear) const override {
    if (options_.policy)
      if (const auto found = options_.policy->layers.find(linear.name); found != options_.policy->layers.end())
        return found->second.precision;
    // One row an image costs little in any precision, and the classifier is where errors show.
    return linear.domain == Domain::kImages ? Precision::kF32 : options_.precision;
  }
  std::unique_ptr<Step> operands(const Node& value, Precision precision, BufferRef x, BufferRef y) override {
    auto step = make<OperandsStep>(precision == Precision::kInt8 ? "quantise" : "round");
    step->precision = precision, step->channels = value.channels, step->x = x, step->y = y;
    if (const auto* divisor = moved_from(value); divisor != nullptr && precision == Precision::kInt8)
      for (const float factor : *divisor) step->factors.push_back(1 / factor);
    return step;
  }

  std::unique_ptr<Step> patches(const Node& tokens, const Node& patches, int64_t image_channels, PatchPositions positions,
                                BufferRef y) override {
    auto step = make<PatchEmbedStep>("patch gather");
    step->channels = tokens.channels, step->image_channels = image_channels;
    step->patch_height = patches.patch_height, step->patch_width = patches.patch_width;
    step->prefix = prefix_rows(tokens);
    step->positions = positions;
    step->y = y;
    const Normalisation n = model_.recipe().normalisation();
    for (size_t c = 0; c < 3; ++c) step->zero_pixel[c] = static_cast<float>(-n.shift[c] / n.scale[c]);
    // Pixels are 8-bit operands as they are, and planes are made of pixels; but not where operands have 7 bits.
    const bool wider = options_.precision == Precision::kInt8 && options_.kernels->levels < 255;
    const Precision precision = wider ? wider_precision(*options_.kernels) : options_.precision;
    step->implementation += as(precision);
    const std::string key = patches.name + (options_.pixels ? " for pixels" : " for planes") + in_panels(precision);
    (options_.pixels ? step->pixel_weights : step->plane_weights) = packed(key, [&] {
      return options_.pixels ? pack_patches_for_pixels(patches, precision, panel(precision), n)
                             : pack_patches_for_planes(patches, precision, panel(precision));
    });
    return step;
  }
  std::unique_ptr<Step> linear(const Node& node, const LinearTail& tail, BufferRef x, BufferRef y) override {
    auto step = make<LinearStep>("tile" + as(precision(node)));
    step->weights = packed_linear(node);
    step->x = x, step->y = y;
    step->activation = tail.activation, step->result = tail.result;
    if (tail.gamma != nullptr) step->gamma = padded_floats(*tail.gamma, panel(precision(node)));
    step->store = !tail.accumulate ? TileStore::kWrite : tail.gamma != nullptr ? TileStore::kScaleAdd : TileStore::kAdd;
    return step;
  }
  std::unique_ptr<Step> layer_norm(const Node& node, Precision operands, BufferRef x, BufferRef y) override {
    auto step = make<LayerNormStep>("row" + as(operands));
    step->x = x, step->y = y, step->channels = node.channels, step->eps = node.eps, step->operands = operands;
    const auto* divisor = operands == Precision::kInt8 ? moved_from(node) : nullptr;
    step->gamma = divided(node.norm.gamma, divisor), step->beta = divided(node.norm.beta, divisor);
    return step;
  }
  std::unique_ptr<Step> activation(const Node& node, BufferRef x, BufferRef y) override {
    auto step = make<ActivationStep>("row");
    step->x = x, step->y = y, step->channels = node.channels, step->activation = node.activation;
    return step;
  }
  std::unique_ptr<Step> gated_activation(const Node& node, BufferRef x, BufferRef y) override {
    auto step = make<GatedActivationStep>("row");
    step->x = x, step->y = y, step->channels = node.channels, step->activation = node.activation;
    return step;
  }
  std::unique_ptr<Step> scale(const Node& node, BufferRef x, BufferRef y) override {
    auto step = make<ScaleStep>("row");
    step->x = x, step->y = y, step->channels = node.channels, step->gamma = padded_floats(node.scale, panel(Precision::kF32));
    return step;
  }
  std::unique_ptr<Step> add(const Node& node, BufferRef a, BufferRef b, BufferRef y) override {
    auto step = make<AddStep>("row");
    step->a = a, step->b = b, step->y = y, step->channels = node.channels;
    return step;
  }

  HeadLayout head_layout(const Node& attention) const override {
    const bool narrow = options_.precision != Precision::kF32 && options_.kernels->has_bf16;
    const Precision precision = narrow ? Precision::kBF16 : Precision::kF32;
    return {attention.num_heads, attention.channels / attention.num_heads, panel(precision), precision};
  }
  std::unique_ptr<Step> qkv(const Node& linear, const Node& attention, const HeadBuffers& heads, const Work& queries,
                            BufferRef x) override {
    auto step = make<QkvStep>("tile, heads" + as(precision(linear)));
    step->weights = packed_linear(linear);
    step->layout = head_layout(attention), step->heads = heads, step->query_work = queries, step->x = x;
    return step;
  }
  std::unique_ptr<Step> pack_heads(const Node& attention, const HeadBuffers& heads, BufferRef x) override {
    auto step = make<PackHeadsStep>("pack heads");
    step->layout = head_layout(attention), step->heads = heads, step->x = x;
    return step;
  }
  std::unique_ptr<Step> attention(const Node& node, const HeadBuffers& heads, BufferRef y) override {
    auto step = make<AttentionStep>("two-pass softmax" + as(head_layout(node).precision));
    step->layout = head_layout(node), step->heads = heads, step->y = y;
    return step;
  }
  std::unique_ptr<Step> plain_attention(const Node&, BufferRef, BufferRef) override { return nullptr; }  // has_heads()

 private:
  template <class S>
  std::unique_ptr<S> make(const std::string& implementation) const {
    auto step = std::make_unique<S>();
    step->kernels = options_.kernels;
    step->implementation = implementation;
    return step;
  }
  int64_t panel(Precision precision) const { return options_.kernels->panel(precision); }
  static std::string as(Precision precision) {
    return precision == Precision::kF32 ? "" : std::string(", ") + precision_name(precision);
  }
  std::string in_panels(Precision precision) const {
    return std::string(" in ") + precision_name(precision) + " panels of " + std::to_string(panel(precision));
  }
  std::shared_ptr<const PackedLinear> packed(const std::string& key, const std::function<PackedLinear()>& pack) {
    auto weights = model_.packs().get(key, pack);
    weight_bytes_ += weights->bytes();
    return weights;
  }
  std::shared_ptr<const PackedLinear> packed_linear(const Node& node) {
    const Precision kind = precision(node);
    std::span<const float> factor;
    if (kind == Precision::kInt8 && options_.policy)
      if (const auto found = options_.policy->layers.find(node.name); found != options_.policy->layers.end())
        factor = found->second.column_factor;
    auto weights = shared_pack(model_, node, kind, panel(kind), factor, options_.packing);
    weight_bytes_ += weights->bytes();
    return weights;
  }
  /// What the policy has moved from a norm's value into the weights behind it; null when nothing.
  const std::vector<float>* moved_from(const Node& value) const {
    if (!options_.policy) return nullptr;
    const auto found = options_.policy->norm_divisor.find(value.name);
    return found == options_.policy->norm_divisor.end() ? nullptr : &found->second;
  }
  std::shared_ptr<const Buffer<float>> divided(const Tensor& vector, const std::vector<float>* divisor) const {
    auto floats = padded_floats(vector, panel(Precision::kF32));
    if (divisor != nullptr)
      for (size_t c = 0; c < divisor->size(); ++c) floats->data()[c] /= (*divisor)[c];
    return floats;
  }

  const Model& model_;
  const PlanOptions& options_;
};

}  // namespace

std::unique_ptr<StepMaker> make_own_steps(const Model& model, const PlanOptions& options) {
  return std::make_unique<OwnSteps>(model, options);
}

std::vector<PrefixRow> prefix_rows(const Node& tokens) {
  std::vector<PrefixRow> rows;
  const int64_t channels = tokens.channels;
  for (const PrefixToken& token : tokens.prefix) {
    PrefixRow row{token.kind, std::vector<float>(static_cast<size_t>(channels))};
    token.value.to_float(token.value_row * channels, channels, row.value.data());
    if (token.position) {
      std::vector<float> position(row.value.size());
      token.position.to_float(token.position_row * channels, channels, position.data());
      for (size_t i = 0; i < position.size(); ++i) row.value[i] += position[i];
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace vit
