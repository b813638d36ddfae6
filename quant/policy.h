// SPDX-License-Identifier: Apache-2.0
// Which layers of a quantised model are computed in what, and what is moved from activations into weights.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "quant/precision.h"

namespace vit {

/// A layer whose 8-bit results on the seeded picture (or the user's pictures) have a smaller cosine with the float32 ones stays
/// in a wider type. 0.998 is a relative error of 6 %. Errors of layers are independent and few layers come near it: most of a
/// trained model's are at 0.9999 (8-bit activations) or 0.9997 (7-bit).
constexpr double kDefaultMinCosine = 0.998;

/// How near results of 8 bits come to those of float32.
struct Nearness {
  double cosine = 1;
  double snr_db = 0;  ///< 10 log10(signal / noise)
};

struct LayerChoice {
  Precision precision = Precision::kInt8;
  std::vector<float> column_factor = {};     ///< [in]: weights times this, the norm before divided by it; empty: ones
  std::string norm = {};                     ///< that norm's node
  double alpha = 0;                          ///< of smoothing_factors(), where those are the factor
  double cosine = 1;                         ///< of the layer's 8-bit and float32 results on the pictures it was tried on
  int64_t pictures = 0;                      ///< so many of the user's; 0: the seeded one
  bool asked = false;                        ///< whether the precision is a wish of the user's
  std::map<int, Nearness> with_levels = {};  ///< by the greatest 8-bit activation, 255 or 127: where it was measured
};

/// By the names of linear nodes, and of the norms before them.
struct QuantPolicy {
  std::map<std::string, LayerChoice> layers;
  std::map<std::string, std::vector<float>> norm_divisor;
};

/// One scale a row serves all channels: a channel that is far larger than the rest leaves these few steps. Where a norm stands
/// before, such a channel can be divided there and its weights multiplied, which changes nothing in exact numbers.
///
/// Powers of two, so that float32 stays exact, which bring each channel whose greatest value is more than `limit` times the
/// median channel's down to between `limit` / 2 and `limit` times it; empty when there is none. `greatest`: of each channel, >=
/// 0.
std::vector<float> outlier_factors(std::span<const float> greatest, float limit);

/// greatest[c]^alpha / weight[c]^(1 - alpha)                    SmoothQuant: Xiao et al. 2022, section 4.2, equation 4
///
/// as a multiple of the median one and rounded to a power of two, which again keeps float32 exact; within 2^-16 .. 2^16. A
/// channel that is always zero on either side keeps 1. Empty when all are 1. `weight`: the greatest of each input channel's
/// weights.
std::vector<float> smoothing_factors(std::span<const float> greatest, std::span<const float> weight, float alpha);

/// Of `values`, which should be `exact`.
Nearness nearness(std::span<const float> values, std::span<const float> exact);

/// Cosine of two lists of numbers, 1 for two lists of zeros. NaN when one holds NaN.
double cosine(std::span<const float> a, std::span<const float> b);

}  // namespace vit
