// SPDX-License-Identifier: Apache-2.0
#include "ops/layer_norm.h"

#include "ops/operands.h"

namespace vit {

void LayerNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* to = operands == Precision::kF32 ? pass.row(y, r) : pass.scratch;
      kernels->layer_norm_row(pass.row(x, r), gamma->data(), beta->data(), eps, channels, to);
      if (operands != Precision::kF32) make_operands(*kernels, operands, to, channels, pass.row(y, r));
    }
  });
}

}  // namespace vit
