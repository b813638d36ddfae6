// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vit {

/// Elementwise functions between and inside layers; formulas in ops/kernels/activation-inl.h.
enum class Activation { kNone, kGelu, kGeluTanh, kQuickGelu, kSilu, kRelu, kTanh };

const char* activation_name(Activation kind);

}  // namespace vit
