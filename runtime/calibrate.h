// SPDX-License-Identifier: Apache-2.0
// Shows layer by layer what comes to it, so that it can be tried in 8 bits: one seeded picture goes through the model in float32,
// or, where a user has asked for it, pictures of his.
#pragma once

#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/image/pixels.h"
#include "runtime/layer_trials.h"
#include "runtime/watched_steps.h"

namespace vit {

struct CalibrationOptions {
  TrialOptions trial = {};
  /// Pictures of the user's, as the model sees them; 0: the seeded one. `picture` gives them in their order, and may throw.
  int64_t pictures = 0;
  std::function<Pixels(int64_t index)> picture = nullptr;
  std::function<void()> after_step = nullptr;  ///< behind each picture and each layer; may throw, which ends the calibration
};

/// Makes the steps of the seeded picture's pass. Only one layer's float32 weights exist at a time: a linear step packs them when
/// it runs, tries the layer, and frees them.
class CalibratingSteps final : public WatchedSteps {
 public:
  /// `options` are those of the pass, in float32.
  CalibratingSteps(const Model& model, const PlanOptions& options, LayerTrials& trials, std::function<void()> after_layer)
      : WatchedSteps(model, options),
        kernels_(*options.kernels),
        workers_(options.packing.workers),
        weights_(model.weights()),
        trials_(trials),
        after_layer_(std::move(after_layer)) {}

  /// After the pass. Throws what a step met: Error(kMemory), or what after_layer threw.
  void finish() {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  class TriedStep;
  std::unique_ptr<Step> watched(const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make) override;

  const KernelTable& kernels_;
  Workers workers_;
  const WeightStore& weights_;
  LayerTrials& trials_;
  std::function<void()> after_layer_;
  std::exception_ptr failure_;
};

/// Makes the steps of a pass that keeps some rows of each picture for each layer: 256 in all, and every channel's greatest of all
/// rows, so that memory does not depend on the number of pictures.
class CollectingSteps final : public WatchedSteps {
 public:
  struct Layer {
    const Node& node;
    LayerRows rows;
    std::mutex mutex;  ///< of rows.greatest, which threads merge theirs into
  };

  /// `options` are those of the pass, in float32. Throws Error(kMemory) while the plan is compiled.
  CollectingSteps(const Model& model, const PlanOptions& options, int64_t pictures)
      : WatchedSteps(model, options), kernels_(*options.kernels), pictures_(pictures) {}

  /// Which picture the next run is of.
  void begin(int64_t picture) { picture_ = picture; }
  /// In the model's order, after the last run.
  std::vector<std::unique_ptr<Layer>> layers() { return std::move(layers_); }

 private:
  class CollectingStep;
  std::unique_ptr<Step> watched(const Node& node, BufferRef x, std::function<std::unique_ptr<Step>()> make) override;
  void collect(Layer& layer, const Pass& pass, const Work& work, BufferRef x) const;

  const KernelTable& kernels_;
  int64_t pictures_, picture_ = 0;
  std::vector<std::unique_ptr<Layer>> layers_;
};

/// Of the seeded picture that layers are tried on, each way: as many rows as a layer is tried on, and some. The whole of a large
/// picture would take several times as long, and showed nothing else (docs/design.md, "int8").
constexpr int64_t kSeededPatches = 8;

/// A picture that has something of photos, the same for everybody.
class SeededInput {
 public:
  /// Of the model's own size, or of at most so many patches each way.
  explicit SeededInput(const ModelConfig& config, int64_t most_patches = std::numeric_limits<int32_t>::max());
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
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
