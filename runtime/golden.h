// SPDX-License-Identifier: Apache-2.0
// The pass that a .vit file can be checked by on any CPU.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quant/precision.h"
#include "runtime/model.h"

namespace vit {

/// Logits, or of a model without classifier the embedding.
Output golden_output(const Model& model);
/// Logits, or the embedding of a model without classifier, of the seeded picture; one thread.
std::vector<float> golden_pass(const std::shared_ptr<const Model>& model, Precision precision, const std::string& isa);

/// How a .vit file's golden pass comes out on an instruction set of this CPU.
struct Verification {
  double f32_difference = 0, f32_tolerance = 0;  ///< of a float32 pass, greatest, as a part of the greatest value
  double cosine = 1, min_cosine = 0;             ///< of a pass in the file's own precision
};
/// Throws Error(kArgument) when the model is of no .vit file.
Verification verify(const std::shared_ptr<const Model>& model, const std::string& isa);

}  // namespace vit
