// SPDX-License-Identifier: Apache-2.0
// Checkpoints of other projects under the names that timm's Vision Transformers have for their tensors.
#pragma once

#include <optional>

#include "runtime/weights.h"

namespace vit {

/// As timm's checkpoint_filter_fn (models/vision_transformer.py) converts a file that it loads: CLIP's image tower, AIMv2,
/// DINOv2, TIPSv2, BEiT-3 and DeiT III as their authors publish them, timm's models inside OpenCLIP, and patch projections of
/// before convolutions, which are matrices. Nothing for a file that has timm's own names. Views into `store`, which must outlive
/// it. Throws Error(kModel) where a tensor that is to be rearranged has another shape.
std::optional<WeightStore> timm_checkpoint(const WeightStore& store);

}  // namespace vit
