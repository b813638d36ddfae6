// SPDX-License-Identifier: Apache-2.0
#include "ops/layer_norm.h"

namespace vit {

void LayerNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      kernels->layer_norm_row(pass.row(x, r), gamma->data(), beta->data(), eps, channels, pass.row(y, r));
  });
}

}  // namespace vit
