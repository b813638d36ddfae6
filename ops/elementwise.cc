// SPDX-License-Identifier: Apache-2.0
#include "ops/elementwise.h"

#include <cstring>

namespace vit {
namespace {

template <class F>
void for_rows(const Pass& pass, const Work& work, F f) {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) f(r);
  });
}

}  // namespace

void ActivationStep::run(const Pass& pass) const noexcept {
  for_rows(pass, work, [&](int64_t r) { kernels->activation_row(pass.row(x, r), activation, channels, pass.row(y, r)); });
}

void GatedActivationStep::run(const Pass& pass) const noexcept {
  for_rows(pass, work, [&](int64_t r) {
    const float* gate = pass.row(x, r);
    kernels->gated_activation_row(gate + channels, gate, activation, channels, pass.row(y, r));
  });
}

void ScaleStep::run(const Pass& pass) const noexcept {
  for_rows(pass, work, [&](int64_t r) { kernels->scale_row(pass.row(x, r), gamma->data(), channels, pass.row(y, r)); });
}

void MultiplyStep::run(const Pass& pass) const noexcept {
  for_rows(pass, work, [&](int64_t r) { kernels->multiply_row(pass.row(x, r), factor, channels, pass.row(y, r)); });
}

void AddStep::run(const Pass& pass) const noexcept {
  for_rows(pass, work, [&](int64_t r) { kernels->add_row(pass.row(a, r), pass.row(b, r), channels, pass.row(y, r)); });
}

void CopyStep::run(const Pass& pass) const noexcept {
  for_rows(pass, work, [&](int64_t r) {
    std::memcpy(pass.row(y, r) + y_column, pass.row(x, r), static_cast<size_t>(channels) * sizeof(float));
  });
}

}  // namespace vit
