// SPDX-License-Identifier: Apache-2.0
#include "ops/row_norm.h"

#include <cstring>

namespace vit {

void RowNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) norm.apply(*kernels, pass.row(x, r), pass.row(y, r));
  });
}

void HeadNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* to = pass.row(y, r);
      if (const float* from = pass.row(x, r); from != to) std::memcpy(to, from, static_cast<size_t>(channels) * sizeof(float));
      for (const Part& part : parts)
        for (int64_t h = 0; h < part.heads; ++h) {
          float* head = to + part.first + h * part.norm.channels;
          part.norm.apply(*kernels, head, head);
        }
    }
  });
}

void PatchNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const int64_t first_patch = pass.rows[work.stage][image].begin + prefix_rows;
    const float* positions = pass.images[image].positions;
    for (int64_t r = std::max(begin, first_patch); r < end; ++r) {
      float* to = pass.row(y, r);
      norm.apply(*kernels, to, to);
      if (positions != nullptr) kernels->add_row(to, positions + (r - first_patch) * norm.channels, norm.channels, to);
    }
  });
}

}  // namespace vit
