// SPDX-License-Identifier: Apache-2.0
// Which layers of a quantised model are computed in what, and what was moved from activations into weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "quant/precision.h"

namespace vit {

struct LayerChoice {
  Precision precision = Precision::kInt8;
  std::vector<float> column_factor = {};  ///< [in]: weights times this, the norm before it divided by it; empty: ones
  double cosine = 1;                      ///< of the layer's 8-bit and float32 results on the seeded picture
};

/// By the names of linear nodes, and of the norms before them.
struct QuantPolicy {
  std::map<std::string, LayerChoice> layers;
  std::map<std::string, std::vector<float>> norm_divisor;
};

}  // namespace vit
