// SPDX-License-Identifier: Apache-2.0
// From pixels to tokens: patch gather, projection, position and token slot in one step.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"

namespace vit {

/// A token that stands in front of every image's patches: its vector, with its position added.
struct PrefixRow {
  TokenKind kind = TokenKind::kClass;
  std::vector<float> value;  ///< [C]
};

/// Whether patches get their positions here, or from a later step: a norm of the projection stands between.
enum class PatchPositions { kAdd, kLater };

/// Tokens = prefix rows, then one row a patch: W patch + b + position. Also writes the rows' TokenInfo.
///
/// No float image and no im2col buffer exists. 8-bit pixels: a patch is patch_height runs of adjacent bytes, weights are in
/// (ky, kx, c) order with mean and std folded in. Float planes: runs of patch_width floats, weights in (c, ky, kx) order.
/// A few patches at a time are gathered into a block that stays in cache while the panels of weights pass. Where the grid is
/// larger than the image, what is missing of a patch counts as normalised zeros.
struct PatchEmbedStep final : Step {
  std::shared_ptr<const PackedLinear> pixel_weights;  ///< for 8-bit pixels; null when the model has not 3 channels
  std::shared_ptr<const PackedLinear> plane_weights;  ///< for float planes
  const KernelTable* kernels = nullptr;
  BufferRef y;
  int64_t channels = 0, image_channels = 3, patch_height = 0, patch_width = 0;
  std::array<float, 3> zero_pixel = {};  ///< the pixel that normalisation turns into zeros; as 8 bits it is rounded
  std::vector<PrefixRow> prefix;
  PatchPositions positions = PatchPositions::kAdd;

  int64_t patch_floats() const { return image_channels * patch_height * patch_width; }
  int64_t scratch_floats(int64_t) const override {
    const auto of = [&](Precision precision) { return kBlockRows * row_stride(operand_floats(precision, patch_floats())); };
    const int64_t floats = kOperandRows * row_stride(patch_floats());
    return std::max({of(Precision::kF32), of(Precision::kBF16) + floats, of(Precision::kInt8) + floats});
  }
  void run(const Pass& pass) const noexcept override;
  double operations(const Pass& pass) const noexcept override;

 private:
  /// Patches gathered at a time: they stay in the second-level cache while the weights pass.
  static constexpr int64_t kBlockRows = 96;
  void start_row(const Pass& pass, int image, int64_t row) const;
  void gather(const Pass& pass, int image, int64_t row, float* to) const;
  void gather_bytes(const Pass& pass, int image, int64_t row, float* to) const;
  void run_product(const Pass& pass, int image, int64_t row, int64_t rows, const PackedLinear& w) const;
};

}  // namespace vit
