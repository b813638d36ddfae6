// SPDX-License-Identifier: Apache-2.0
#include "runtime/calibrate.h"

#include <algorithm>
#include <cmath>

#include "runtime/packed_weights.h"

namespace vit {
namespace {

/// Rows of the seeded picture that a layer is tried on, spread over all.
constexpr int64_t kTriedRows = 48;
/// Rows of all pictures together: 7 C floats each in a block of 12 C^2 weights, which is a fifth of a ViT-B and less of wider
/// ones.
constexpr int64_t kCollectedRows = 256;

}  // namespace

/// A linear layer of the pass, made when its turn comes.
class CalibratingSteps::TriedStep final : public Step {
 public:
  TriedStep(CalibratingSteps& maker, const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make)
      : maker_(maker), node_(node), x_(x), make_(std::move(make)) {}

  int64_t scratch_floats(int64_t) const override { return maker_.workers_.threads * scratch_of_one(); }
  void run(const Pass& pass) const noexcept override {
    if (maker_.failure_) return;
    try {
      const std::unique_ptr<Step> step = make_();
      step->work = work;
      if (node_.domain == Domain::kRows)
        pass.for_each(work, [&](int, int64_t begin, int64_t end) { try_on(pass, begin, end); });
      else
        drop_source(node_, maker_.weights_);  // as trials do: a classifier of many labels is large
      run_by_all(*step, pass);
    } catch (...) {
      maker_.failure_ = std::current_exception();
    }
  }

 private:
  void try_on(const Pass& pass, int64_t begin, int64_t end) const {
    LayerRows rows(std::min(kTriedRows, end - begin), node_.linear.in);
    for (int64_t i = 0; i < rows.rows; ++i) {
      std::copy_n(pass.row(x_, begin + (end - begin) * i / rows.rows), rows.channels, rows.row(i));
      rows.cover(rows.row(i));
    }
    maker_.trials_.try_layer(node_, rows);
    if (maker_.after_layer_) maker_.after_layer_();
  }

  int64_t scratch_of_one() const { return kHeadBlockRows * maker_.kernels_.panel_columns; }
  /// The pass has one thread, since layers are tried in it; a product is shared by all.
  void run_by_all(const Step& step, const Pass& pass) const {
    const Workers& workers = maker_.workers_;
    workers.for_each(workers.threads, [&](int, int64_t share) {
      Pass shared = pass;
      shared.thread = static_cast<int>(share), shared.threads = workers.threads;
      shared.scratch += share * scratch_of_one();
      step.run(shared);
    });
  }

  CalibratingSteps& maker_;
  const Node& node_;
  BufferRef x_;
  std::function<std::unique_ptr<Step>()> make_;
};

std::unique_ptr<Step> CalibratingSteps::watched(const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make) {
  return std::make_unique<TriedStep>(*this, node, x, std::move(make));
}

/// A linear layer as it is, and its input looked at.
class CollectingSteps::CollectingStep final : public Step {
 public:
  CollectingStep(const CollectingSteps& maker, Layer& layer, BufferRef x, std::unique_ptr<Step> step)
      : maker_(maker), layer_(layer), x_(x), step_(std::move(step)) {}

  int64_t scratch_floats(int64_t max_rows) const override { return step_->scratch_floats(max_rows); }
  void reserve(int64_t rows, int64_t image_rows) override {
    step_->work = work;
    step_->reserve(rows, image_rows);
  }
  void run(const Pass& pass) const noexcept override {
    maker_.collect(layer_, pass, work, x_);
    step_->run(pass);
  }

 private:
  const CollectingSteps& maker_;
  Layer& layer_;
  BufferRef x_;
  std::unique_ptr<Step> step_;
};

std::unique_ptr<Step> CollectingSteps::watched(const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make) {
  if (node.domain != Domain::kRows) return make();
  layers_.push_back(std::unique_ptr<Layer>(new Layer{node, LayerRows(kCollectedRows, node.linear.in), {}}));
  layers_.back()->rows.pictures = pictures_;
  return std::make_unique<CollectingStep>(*this, *layers_.back(), x, make());
}

/// The picture's first row, which is the class token's where there is one, and others evenly spread, not the same for each
/// picture. A thread may have a part of the rows.
void CollectingSteps::collect(Layer& layer, const Pass& pass, const Work& work, BufferRef x) const {
  LayerRows& to = layer.rows;
  const int64_t first = to.rows * picture_ / pictures_, wanted = to.rows * (picture_ + 1) / pictures_ - first;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const ImageRows& all = pass.rows[work.stage][image];
    const int64_t count = work.over == Over::kPrefixRows ? std::min(work.prefix_rows, all.count) : all.count;
    for (int64_t i = 0; i < wanted; ++i) {
      const int64_t shift = i == 0 ? 0 : count * picture_ / pictures_, row = all.begin + (i * count + shift) / wanted;
      if (begin <= row && row < end) std::copy_n(pass.row(x, row), to.channels, to.row(first + i));
    }
    const std::lock_guard lock(layer.mutex);
    for (int64_t row = begin; row < end; ++row) to.cover(pass.row(x, row));
  });
}

SeededInput::SeededInput(const ModelConfig& config, int64_t most_patches)
    : height_(std::min(config.image_height, most_patches * config.patch_height)),
      width_(std::min(config.image_width, most_patches * config.patch_width)),
      picture_(seeded_picture(height_, width_)) {
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
