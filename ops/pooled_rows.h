// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ops/step.h"

namespace vit {

/// Calls f(row) for the image's rows of a kind, or for all of them, until f answers false.
template <class F>
void for_pooled_rows(const Pass& pass, int stage, int image, std::optional<TokenKind> kind, F f) {
  const ImageRows& rows = pass.rows[stage][image];
  for (int64_t r = rows.begin; r < rows.begin + rows.count; ++r)
    if ((!kind || pass.tokens[stage][r].kind == *kind) && !f(r)) return;
}

}  // namespace vit
