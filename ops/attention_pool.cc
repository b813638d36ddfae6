// SPDX-License-Identifier: Apache-2.0
#include "ops/attention_pool.h"

#include <cmath>
#include <cstring>

#include "ops/pooled_rows.h"

namespace vit {

void AttentionPoolStep::run(const Pass& pass) const noexcept {
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
  const int64_t channels = heads * head_dim;
  float* weights = pass.scratch;
  pass.for_each(work, [&](int image, int64_t slot, int64_t) {
    float* out = pass.row(y, slot);
    std::memset(out, 0, static_cast<size_t>(channels) * sizeof(float));
    for (int64_t column = 0; column < channels; column += head_dim) {
      int64_t count = 0;
      for_pooled_rows(pass, work.stage, image, kind, [&](int64_t r) {
        weights[count++] = kernels->dot_row(query->data() + column, pass.row(kv, r) + column, head_dim);
        return true;
      });
      if (count == 0) return;
      float sum;
      kernels->softmax_rows(weights, 0, 1, scale, count, weights, 0, &sum);
      const float* weight = weights;
      for_pooled_rows(pass, work.stage, image, kind, [&](int64_t r) {
        kernels->add_scaled_row(pass.row(kv, r) + channels + column, *weight++, head_dim, out + column);
        return true;
      });
      kernels->multiply_row(out + column, 1.0f / sum, head_dim, out + column);
    }
  });
}

double AttentionPoolStep::operations(const Pass& pass) const noexcept {
  double rows = 0;
  pass.for_each(work, [&](int image, int64_t, int64_t) { rows += static_cast<double>(pass.rows[work.stage][image].count); });
  return 4.0 * rows * static_cast<double>(heads * head_dim);
}

}  // namespace vit
