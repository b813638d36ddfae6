// SPDX-License-Identifier: Apache-2.0
// The instruction sets that tests run on: this CPU's own, and those that are emulated.
#pragma once

#include <vector>

#include "ops/kernel_table.h"

namespace vit {

struct TestedSet {
  Isa isa;
  bool emulated;
  const KernelTable* kernels;
};

/// Emulated sets, those that this CPU has among them; none where it lacks AVX2 and FMA, or is no x86-64.
const std::vector<TestedSet>& emulated_sets();
/// usable_isas() as they are, then emulated_sets().
const std::vector<TestedSet>& tested_sets();
/// This CPU's own set, or null.
const KernelTable* native_kernels(Isa isa);

}  // namespace vit
