// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.h"
#include "tests/catch.h"
#include "tests/emulated/tables.h"

namespace vit {

TEST_CASE("attention's scratch is enough for every image up to the largest that it is reserved for", "[engine]") {
  for (const TestedSet& set : tested_sets()) {
    AttentionStep step;
    step.kernels = set.kernels;
    step.layout = {.heads = 3, .head_dim = 64, .panel = set.kernels->panel(Precision::kBF16), .precision = Precision::kBF16};
    int64_t enough = 0;
    for (int64_t rows = 1; rows < 6000; rows += 13) {
      CAPTURE(set.kernels->isa, rows);
      const int64_t needed = step.rows_at_a_time(rows) * (step.score_stride(rows) + step.probability_stride(rows));
      const int64_t reserved = step.scratch_floats(rows);
      CHECK(reserved >= enough);  // so it also holds what a smaller image needs
      CHECK(reserved >= needed);
      enough = reserved;
    }
  }
}

}  // namespace vit
