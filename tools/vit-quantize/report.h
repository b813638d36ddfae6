// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace vit::tool {

/// A table of VIT_DESCRIBE_LAYERS: each layer with how near 8 bits come, and what was moved or kept and why.
std::string layers_table(const std::string& layers_json);
/// "36 layers in int8, 1 layers in bf16, calibrated on 32 pictures"
std::string layers_summary(const std::string& layers_json);

}  // namespace vit::tool
