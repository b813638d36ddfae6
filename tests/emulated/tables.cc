// SPDX-License-Identifier: Apache-2.0
#include "tests/emulated/tables.h"

#include <algorithm>

namespace vit {

#if defined(__x86_64__)
extern const KernelTable kernels_emulated_avx512, kernels_emulated_avx512vnni, kernels_emulated_avx512bf16, kernels_emulated_amx;
#endif

const KernelTable* native_kernels(Isa isa) {
  const std::vector<Isa>& usable = usable_isas();
  return std::find(usable.begin(), usable.end(), isa) != usable.end() ? &kernels(isa) : nullptr;
}

const std::vector<TestedSet>& emulated_sets() {
  static const std::vector<TestedSet> sets = [] {
    std::vector<TestedSet> found;
#if defined(__x86_64__)
    if (native_kernels(Isa::kAvx2) != nullptr)
      found = {{Isa::kAvx512, true, &kernels_emulated_avx512},
               {Isa::kAvx512Vnni, true, &kernels_emulated_avx512vnni},
               {Isa::kAvx512Bf16, true, &kernels_emulated_avx512bf16},
               {Isa::kAmx, true, &kernels_emulated_amx}};
#endif
    return found;
  }();
  return sets;
}

const std::vector<TestedSet>& tested_sets() {
  static const std::vector<TestedSet> sets = [] {
    std::vector<TestedSet> all;
    for (const Isa isa : usable_isas()) all.push_back({isa, false, &kernels(isa)});
    all.insert(all.end(), emulated_sets().begin(), emulated_sets().end());
    return all;
  }();
  return sets;
}

}  // namespace vit
