// SPDX-License-Identifier: Apache-2.0
#include "tests/emulated/tables.h"

#include <algorithm>
#include <string>

namespace vit {

// VIT_EMULATED_ISAS is "VIT_ISA(avx512) VIT_ISA(amx) ...": what CMakeLists.txt beside this file builds.
#define VIT_ISA(name) extern const KernelTable kernels_emulated_##name;
VIT_EMULATED_ISAS
#undef VIT_ISA

const KernelTable* native_kernels(Isa isa) {
  const std::vector<Isa>& usable = usable_isas();
  return std::find(usable.begin(), usable.end(), isa) != usable.end() ? &kernels(isa) : nullptr;
}

const std::vector<TestedSet>& emulated_sets() {
  static const std::vector<TestedSet> sets = [] {
    std::vector<TestedSet> found;
    if (native_kernels(Isa::kAvx2) == nullptr) return found;
#define VIT_ISA(name) &kernels_emulated_##name,
    const std::vector<const KernelTable*> tables{VIT_EMULATED_ISAS};
#undef VIT_ISA
    for (const KernelTable* table : tables)
      for (const Isa isa : {Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmx})
        if (table->isa == std::string("emulated_") + isa_name(isa)) found.push_back({isa, true, table});
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
