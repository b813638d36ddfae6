// SPDX-License-Identifier: Apache-2.0
#include "ops/activation.h"

namespace vit {

const char* activation_name(Activation kind) {
  switch (kind) {
    case Activation::kNone: return "none";
    case Activation::kGelu: return "gelu";
    case Activation::kGeluTanh: return "gelu_tanh";
    case Activation::kQuickGelu: return "quick_gelu";
    case Activation::kSilu: return "silu";
    case Activation::kRelu: return "relu";
    case Activation::kTanh: return "tanh";
  }
  return "?";
}

}  // namespace vit
