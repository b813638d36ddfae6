// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/io/json_fields.h"

namespace vit {

/// Sizes beyond these are no Vision Transformer, and their products could overflow.
constexpr IntegerRange kWidthRange{1, int64_t{1} << 16}, kMlpRange{1, int64_t{1} << 20}, kDepthRange{1, 1024},
    kSideRange{1, 8192};

}  // namespace vit
