// SPDX-License-Identifier: Apache-2.0
#include "runtime/calibrate.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "ops/operands.h"
#include "runtime/packed_weights.h"

namespace vit {
namespace {

/// Rows that a layer is tried on, spread over all.
constexpr int64_t kTriedRows = 48;
/// How many times the median channel others may be; a smaller one moves more into the weights, which have a scale a row too.
constexpr float kLimits[] = {16, 8, 4, 2};
/// Moving has to be worth it: the error must fall by a fifth.
constexpr double kWorthMoving = 0.8;
/// Errors below this are not looked at twice.
constexpr double kGoodEnough = 1e-4;

/// [rows, channels], rows adjacent.
struct Matrix {
  int64_t rows = 0, channels = 0;
  std::vector<float> values;
  Matrix(int64_t r, int64_t c) : rows(r), channels(c), values(static_cast<size_t>(r * c)) {}
  float* row(int64_t r) { return values.data() + r * channels; }
  const float* row(int64_t r) const { return values.data() + r * channels; }
};

Matrix sample(const Pass& pass, BufferRef x, int64_t begin, int64_t end, int64_t channels) {
  const int64_t rows = std::min(kTriedRows, end - begin);
  Matrix out(rows, channels);
  for (int64_t i = 0; i < rows; ++i) std::copy_n(pass.row(x, begin + (end - begin) * i / rows), channels, out.row(i));
  return out;
}

Matrix multiply_f32(const KernelTable& kernels, const Matrix& x, const PackedLinear& w) {
  Matrix y(x.rows, w.out);
  for (int64_t p = 0; p < w.panels(); ++p)
    for_tiles(0, x.rows, kernels.tile_rows, [&](int64_t row, int64_t rows) {
      kernels.matmul_tile({.x = x.row(row),
                           .x_stride = x.channels,
                           .panel = w.panel_at(p),
                           .y = y.row(row) + p * w.panel,
                           .y_stride = w.out,
                           .k = w.in,
                           .rows = static_cast<int>(rows),
                           .columns = static_cast<int>(std::min(w.panel, w.out - p * w.panel))});
    });
  return y;
}

Matrix multiply_int8(const KernelTable& kernels, const Matrix& x, const PackedLinear& w, const std::vector<float>& divisor) {
  const int64_t stride = row_stride(operand_floats(Precision::kInt8, x.channels));
  Buffer<float> operands(x.rows * stride);
  std::vector<float> row(static_cast<size_t>(x.channels)), no_bias(static_cast<size_t>(round_up(w.out, w.panel)));
  for (int64_t r = 0; r < x.rows; ++r) {
    std::copy_n(x.row(r), x.channels, row.begin());
    for (size_t c = 0; c < divisor.size(); ++c) row[c] /= divisor[c];
    make_operands(kernels, Precision::kInt8, row.data(), x.channels, operands.data() + r * stride);
  }
  Matrix y(x.rows, w.out);
  Product product = product_with(w, 0, w.out);
  product.bias = no_bias.data();
  product.x = operands.data(), product.x_stride = stride * 4, product.rows = x.rows;
  product.y = y.values.data(), product.y_stride = w.out;
  multiply(kernels, Precision::kInt8, product);
  return y;
}

std::vector<float> greatest_of_channels(const Matrix& x) {
  std::vector<float> greatest(static_cast<size_t>(x.channels));
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.channels; ++c)
      greatest[static_cast<size_t>(c)] = std::max(greatest[static_cast<size_t>(c)], std::fabs(x.row(r)[c]));
  return greatest;
}

}  // namespace

/// A linear layer of the pass, made when its turn comes.
class CalibratingSteps::TriedStep final : public Step {
 public:
  TriedStep(CalibratingSteps& maker, const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make)
      : maker_(maker), node_(node), x_(x), make_(std::move(make)) {}

  int64_t scratch_floats(int64_t) const override { return kHeadBlockRows * maker_.options_.kernels->panel_columns; }
  void run(const Pass& pass) const noexcept override {
    if (maker_.failure_) return;
    try {
      const std::unique_ptr<Step> step = make_();
      step->work = work;
      if (node_.domain == Domain::kRows)
        pass.for_each(work, [&](int, int64_t begin, int64_t end) { maker_.try_layer(node_, pass, x_, begin, end); });
      step->run(pass);
    } catch (...) {
      maker_.failure_ = std::current_exception();
    }
  }

 private:
  CalibratingSteps& maker_;
  const Node& node_;
  BufferRef x_;
  std::function<std::unique_ptr<Step>()> make_;
};

CalibratingSteps::CalibratingSteps(const Model& model, const PlanOptions& options, const CalibrationOptions& calibration)
    : model_(model), options_(options), calibration_(calibration), own_(make_own_steps(model, options)) {}

QuantPolicy CalibratingSteps::policy() {
  if (failure_) std::rethrow_exception(failure_);
  return std::move(policy_);
}

std::unique_ptr<Step> CalibratingSteps::linear(const Node& node, const LinearTail& tail, BufferRef x, BufferRef y) {
  return tried(node, x, [this, &node, tail, x, y] { return own_->linear(node, tail, x, y); });
}

std::unique_ptr<Step> CalibratingSteps::qkv(const Node& linear, const Node& attention, const HeadBuffers& heads,
                                            const Work& queries, BufferRef x) {
  return tried(linear, x,
               [this, &linear, &attention, heads, queries, x] { return own_->qkv(linear, attention, heads, queries, x); });
}

std::unique_ptr<Step> CalibratingSteps::tried(const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make) {
  return std::make_unique<TriedStep>(*this, node, x, std::move(make));
}

/// The LayerNorm before a linear layer, if it is read by nobody else.
const Node* CalibratingSteps::movable_norm(const Node& linear) const {
  const std::vector<Node>& nodes = model_.graph().nodes();
  const int input = linear.inputs[0];
  if (nodes[static_cast<size_t>(input)].kind != NodeKind::kLayerNorm) return nullptr;
  int readers = 0;
  for (const Node& node : nodes) readers += static_cast<int>(std::count(node.inputs.begin(), node.inputs.end(), input));
  for (int output = 0; output < kOutputs; ++output) readers += model_.graph().output(static_cast<Output>(output)) == input;
  return readers == 1 ? &nodes[static_cast<size_t>(input)] : nullptr;
}

void CalibratingSteps::try_layer(const Node& node, const Pass& pass, BufferRef x, int64_t begin, int64_t end) {
  const KernelTable& kernels = *options_.kernels;
  const Matrix rows = sample(pass, x, begin, end, node.linear.in);
  // The pass has these weights too, so that they are packed once.
  const Matrix exact = multiply_f32(kernels, rows, *shared_pack(model_, node, Precision::kF32, kernels.panel_columns));
  std::shared_ptr<const PackedLinear> best;
  const auto cosine_with = [&](const std::vector<float>& factor) {
    auto packed = shared_pack(model_, node, Precision::kInt8, kernels.product_columns, factor);
    return std::pair(cosine(multiply_int8(kernels, rows, *packed, factor).values, exact.values), std::move(packed));
  };

  LayerChoice choice;
  std::tie(choice.cosine, best) = cosine_with({});
  const Node* norm = movable_norm(node);
  if (norm != nullptr && !(1 - choice.cosine < kGoodEnough)) {
    const std::vector<float> greatest = greatest_of_channels(rows);
    for (const float limit : kLimits) {
      const std::vector<float> factor = outlier_factors(greatest, limit);
      if (factor.empty() || factor == choice.column_factor) continue;
      if (auto [moved, packed] = cosine_with(factor); 1 - moved < kWorthMoving * (1 - choice.cosine))
        choice.cosine = moved, choice.column_factor = factor, best = std::move(packed);
    }
  }
  if (calibration_.measure) {
    std::map<int, Isa> isa_of;  // all sets of the same levels compute the same
    for (const Isa isa : usable_isas()) isa_of[vit::kernels(isa).levels] = isa;
    for (const auto& [levels, isa] : isa_of) {
      const KernelTable& other = vit::kernels(isa);
      const auto packed = shared_pack(model_, node, Precision::kInt8, other.product_columns, choice.column_factor);
      choice.with_levels[levels] = nearness(multiply_int8(other, rows, *packed, choice.column_factor).values, exact.values);
    }
  }
  const std::optional<Precision> wish = calibration_.wish ? calibration_.wish(node.name) : std::nullopt;
  choice.asked = wish.has_value();
  choice.precision = wish.value_or(choice.cosine >= calibration_.min_cosine ? Precision::kInt8 : wider_precision(kernels));
  if (choice.precision == Precision::kInt8)
    packed_.push_back(std::move(best));
  else
    choice.column_factor.clear();
  if (!choice.column_factor.empty()) policy_.norm_divisor[choice.norm = norm->name] = choice.column_factor;
  policy_.layers[node.name] = std::move(choice);
  if (calibration_.after_layer) calibration_.after_layer();
}

SeededInput::SeededInput(const ModelConfig& config)
    : height_(config.image_height), width_(config.image_width), picture_(seeded_picture(height_, width_)) {
  if (config.channels == 3) return;
  for (int64_t c = 0; c < config.channels; ++c)
    for (size_t i = 0; i < picture_.size(); i += 3) planes_.push_back(static_cast<float>(picture_[i]) / 127.5f - 1);
}

std::vector<uint8_t> seeded_picture(int64_t height, int64_t width) {
  uint64_t state = 1;
  const auto uniform = [&state] {  // SplitMix64
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  };
  std::vector<double> picture(static_cast<size_t>(height * width * 3), 127.5);
  double strength = 90;
  for (int64_t cells = 2; cells <= 32; cells *= 2, strength *= 0.65) {
    std::vector<double> field(static_cast<size_t>((cells + 1) * (cells + 1) * 3));
    for (double& value : field) value = strength * (2 * uniform() - 1);
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        const double fy = static_cast<double>(y * cells) / static_cast<double>(height),
                     fx = static_cast<double>(x * cells) / static_cast<double>(width);
        const auto cy = static_cast<int64_t>(fy), cx = static_cast<int64_t>(fx);
        const double ty = fy - static_cast<double>(cy), tx = fx - static_cast<double>(cx);
        for (int64_t c = 0; c < 3; ++c) {
          const auto at = [&](int64_t row, int64_t column) {
            return field[static_cast<size_t>((row * (cells + 1) + column) * 3 + c)];
          };
          picture[static_cast<size_t>((y * width + x) * 3 + c)] += (1 - ty) * ((1 - tx) * at(cy, cx) + tx * at(cy, cx + 1)) +
                                                                   ty * ((1 - tx) * at(cy + 1, cx) + tx * at(cy + 1, cx + 1));
        }
      }
  }
  std::vector<uint8_t> pixels(picture.size());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(std::lround(std::clamp(picture[i], 0.0, 255.0)));
  return pixels;
}

}  // namespace vit
