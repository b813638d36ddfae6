// SPDX-License-Identifier: Apache-2.0
// The steps of a plan for the oneDNN backend. Buffers whose stride is their number of channels are fastest. Where threads share
// an image, attention reads all rows of `qkv`: its Access has Scope::kImage, and two such buffers take turns from block to block.
#pragma once

#include <memory>
#include <vector>

#include "ops/onednn/attention.h"
#include "ops/onednn/linear.h"
#include "ops/onednn/row_ops.h"
#include "ops/patch_embed.h"
#include "ops/step.h"

namespace vit {

struct OneDnnLinearStep final : Step {
  std::shared_ptr<OneDnnLinear> linear;  ///< made for the strides of x and y
  BufferRef x, y;

  int64_t scratch_floats(int64_t max_rows) const override;
  void reserve(int64_t rows, int64_t image_rows) override;
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;
};

struct OneDnnLayerNormStep final : Step {
  std::shared_ptr<OneDnnLayerNorm> norm;  ///< made for the strides of x and y
  BufferRef x, y;

  int64_t scratch_floats(int64_t max_rows) const override;
  void reserve(int64_t rows, int64_t image_rows) override;
  void run(const Pass& pass) const noexcept override;
};

struct OneDnnAttentionStep final : Step {
  std::shared_ptr<OneDnnAttention> attention;  ///< made for the strides of qkv and y
  BufferRef qkv, y;
  int64_t channels = 0;  ///< C, for operations() only

  int64_t scratch_floats(int64_t max_rows) const override;
  void reserve(int64_t rows, int64_t image_rows) override;
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;
};

struct OneDnnActivationStep final : Step {
  std::shared_ptr<OneDnnActivation> activation;
  BufferRef x, y;

  int64_t scratch_floats(int64_t max_rows) const override;
  void run(const Pass& pass) const noexcept override;
};

/// y = act(x[0 .. C)) * x[C .. 2C), C = channels. y may be x.
struct OneDnnGatedActivationStep final : Step {
  std::shared_ptr<OneDnnActivation> activation;
  std::shared_ptr<OneDnnBinary> multiply;
  BufferRef x, y;
  int64_t channels = 0;

  int64_t scratch_floats(int64_t max_rows) const override;
  void run(const Pass& pass) const noexcept override;
};

/// y = x * gamma. y may be x.
struct OneDnnScaleStep final : Step {
  std::shared_ptr<OneDnnBinary> multiply;
  std::shared_ptr<const Buffer<float>> gamma;
  BufferRef x, y;

  int64_t scratch_floats(int64_t max_rows) const override;
  void run(const Pass& pass) const noexcept override;
};

/// y = a + b. y may be either.
struct OneDnnAddStep final : Step {
  std::shared_ptr<OneDnnBinary> add;
  BufferRef a, b, y;

  int64_t scratch_floats(int64_t max_rows) const override;
  void run(const Pass& pass) const noexcept override;
};

/// As PatchEmbedStep, in the textbook way: pixels are normalised to floats, and a block of patches is multiplied by the weights
/// as the file has them. Mean and std are thus on the other side than in the own backend, and each checks the other.
struct OneDnnPatchEmbedStep final : Step {
  static constexpr int64_t kBlockRows = 64;  ///< patches gathered at a time

  std::shared_ptr<OneDnnLinear> projection;  ///< in: C_in * P * P in (c, ky, kx) order, adjacent rows; y's stride; accumulates
  BufferRef y;
  int64_t channels = 0, image_channels = 3, patch_height = 0, patch_width = 0;
  Normalisation normalisation;
  std::vector<PrefixRow> prefix;
  PatchPositions positions = PatchPositions::kAdd;

  int64_t patch_floats() const { return image_channels * patch_height * patch_width; }
  int64_t scratch_floats(int64_t max_rows) const override;
  void reserve(int64_t rows, int64_t image_rows) override;
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;

 private:
  int64_t block_floats() const { return round_up(kBlockRows * patch_floats(), 16); }
  void start_row(const Pass& pass, int image, int64_t row) const;
  void gather(const Pass& pass, int image, int64_t row, float* to) const;
};

}  // namespace vit
