// SPDX-License-Identifier: Apache-2.0
#include "ops/pool.h"

#include <cstring>

#include "ops/pooled_rows.h"

namespace vit {

void SelectRowStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t slot, int64_t) {
    for_pooled_rows(pass, work.stage, image, kind, [&](int64_t r) {
      std::memcpy(pass.row(y, slot), pass.row(x, r), static_cast<size_t>(channels) * sizeof(float));
      return false;
    });
  });
}

void MeanRowsStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t slot, int64_t) {
    float* sum = pass.row(y, slot);
    std::memset(sum, 0, static_cast<size_t>(channels) * sizeof(float));
    int64_t count = 0;
    for_pooled_rows(pass, work.stage, image, kind, [&](int64_t r) {
      kernels->add_row(sum, pass.row(x, r), channels, sum);
      return ++count > 0;
    });
    if (count > 0) kernels->multiply_row(sum, 1.0f / static_cast<float>(count), channels, sum);
  });
}

void MaxRowsStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t slot, int64_t) {
    float* top = pass.row(y, slot);
    bool first = true;
    for_pooled_rows(pass, work.stage, image, kind, [&](int64_t r) {
      kernels->max_row(first ? pass.row(x, r) : top, pass.row(x, r), channels, top);
      first = false;
      return true;
    });
    if (first) std::memset(top, 0, static_cast<size_t>(channels) * sizeof(float));
  });
}

void ExportStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const ImageRun& run = pass.images[image];
    const int64_t to = work.over == Over::kImages ? run.index : run.result_row + begin - pass.rows[work.stage][image].begin;
    for (int64_t r = begin; r < end; ++r)
      std::memcpy(pass.row(result, to + r - begin), pass.row(x, r), static_cast<size_t>(channels) * sizeof(float));
  });
}

}  // namespace vit
