// SPDX-License-Identifier: Apache-2.0
// Models of any size with seeded weights, made in memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/model.h"

namespace vit {

struct TinyOptions {
  int64_t embed_dim = 48, num_heads = 2, depth = 3, mlp_dim = 100, patch = 8, image = 32, labels = 7;
  std::string activation = "gelu";
  float outlier = 1;  ///< channel 3 of each block's norms is so many times the rest, and the weights behind it so much smaller
  int spread = 0;  ///< channels of each block's norms are 2^-spread to 2^spread times as large, the weights behind them smaller
  float hidden_outlier = 1;  ///< the same of hidden channel 3 of each MLP, which no norm stands before
};

/// A ViTForImageClassification and the bytes that it stands in.
class TinyModel {
 public:
  explicit TinyModel(const TinyOptions& options = {});
  const std::shared_ptr<const Model>& model() const { return model_; }
  /// A weight of the file, for computing the same by hand.
  std::vector<float> weight(const std::string& name) const;
  const TinyOptions& options() const { return options_; }

 private:
  TinyOptions options_;
  std::string config_, weights_;
  std::shared_ptr<const Model> model_;
};

/// The logits of one image [3, height, width] (whole patches, the model's own grid) in double precision and plain loops.
/// `after_block` may change the tokens [T, C] behind a block, and their number.
std::vector<double> plain_logits(const TinyModel& tiny, const float* image,
                                 const std::function<void(int64_t block, std::vector<double>& tokens)>& after_block = nullptr);

}  // namespace vit
