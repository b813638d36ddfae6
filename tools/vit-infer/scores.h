// SPDX-License-Identifier: Apache-2.0
// The figures of evaluate.
#pragma once

#include <cstddef>
#include <vector>

namespace vit::tool {

/// Of logits: a . b / (|a| |b|); 1 where both are zero, 0 where one is.
double cosine(const std::vector<float>& a, const std::vector<float>& b);

/// KL(p || q) of the softmax of logits, in nats: sum of p log(p / q).
double kl_divergence(const std::vector<float>& p, const std::vector<float>& q);

struct Interval {
  double low, high;
};
/// Where the rate behind `hits` of `trials` lies, with 95 % confidence. Wilson 1927: unlike the normal approximation it holds
/// near 0 and 1, too, and for few trials. `trials` >= 1.
Interval wilson_interval(size_t hits, size_t trials);

/// What one image gave.
struct Score {
  size_t rank = 0;  ///< of the true label, from 1
  bool agrees = true;
  double cosine = 1, kl = 0;  ///< as they are where the precision is float32 itself
};

/// Sums over images.
struct Totals {
  size_t images = 0, top1 = 0, top5 = 0, agreeing = 0;
  double cosine = 0, kl = 0;
  void add(const Score& score);
};

}  // namespace vit::tool
