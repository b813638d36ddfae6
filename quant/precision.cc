// SPDX-License-Identifier: Apache-2.0
#include "quant/precision.h"

namespace vit {

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::kF32: return "f32";
    case Precision::kBF16: return "bf16";
    default: return "int8";
  }
}

}  // namespace vit
