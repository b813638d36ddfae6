// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "runtime/weights.h"

namespace vit {

/// Weights of an untrained model, the same in every run: gains of norms and LayerScale are 1, all else is spread evenly with a
/// standard deviation of 0.02. Tensors share one block of numbers, so that the largest model asks for the memory of its largest
/// tensor only.
std::shared_ptr<TensorMaker> make_random_weights();

}  // namespace vit
