// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/checks.h"

namespace vit {

TEST_CASE("every kernel agrees with double precision on every instruction set of this CPU", "[kernels]") {
  for (const Isa isa : usable_isas()) {
    const KernelTable& table = kernels(isa);
    INFO("instruction set " << table.isa);
#define VIT_KERNEL(name, ...) \
  {                           \
    INFO("kernel " #name);    \
    check_##name(table);      \
  }
#include "ops/kernel_list.inc"
#undef VIT_KERNEL
  }
}

TEST_CASE("the instruction sets that did not run here are named", "[kernels]") {
#if defined(__x86_64__)
  for (const Isa isa : {Isa::kSse2, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmx}) {
    bool usable = false;
    for (const Isa found : usable_isas()) usable |= found == isa;
    if (!usable) WARN("skipped: this CPU does not have " << isa_name(isa));
  }
#endif
  CHECK(kernels(usable_isas().back()).isa == std::string(isa_name(usable_isas().back())));
}

}  // namespace vit
