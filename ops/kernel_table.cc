// SPDX-License-Identifier: Apache-2.0
#include "ops/kernel_table.h"

#include <cstring>

namespace vit {

// VIT_BUILT_ISAS is "VIT_ISA(sse2) VIT_ISA(avx2) ...": what ops/kernels/CMakeLists.txt builds.
#define VIT_ISA(name) extern const KernelTable kernels_##name;
VIT_BUILT_ISAS
#undef VIT_ISA

const KernelTable& kernels(Isa isa) {
#define VIT_ISA(name) &kernels_##name,
  static constexpr const KernelTable* kTables[] = {VIT_BUILT_ISAS};
#undef VIT_ISA
  for (const KernelTable* table : kTables)
    if (std::strcmp(table->isa, isa_name(isa)) == 0) return *table;
  return *kTables[0];
}

}  // namespace vit
