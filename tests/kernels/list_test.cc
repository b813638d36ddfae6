// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "tests/emulated/tables.h"
#include "tests/kernels/checks.h"

namespace vit {

TEST_CASE("every kernel agrees with double precision on every instruction set, native or emulated", "[kernels]") {
  for (const TestedSet& set : tested_sets()) {
    const KernelTable& table = *set.kernels;
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

TEST_CASE("how each instruction set ran here is said", "[kernels]") {
#if defined(__x86_64__)
  const Isa all[] = {Isa::kSse2, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmx};
#else
  const Isa all[] = {Isa::kNeon};
#endif
  for (const Isa isa : all) {
    std::string how;
    for (const TestedSet& set : tested_sets())
      if (set.isa == isa) how += std::string(how.empty() ? "" : " and ") + (set.emulated ? "emulated" : "native");
    // tools/dev shows these lines.
    std::printf("kernels: %s: %s\n", isa_name(isa), how.empty() ? "not run: not of this CPU, or not of this build" : how.c_str());
  }
  CHECK(kernels(usable_isas().back()).isa == std::string(isa_name(usable_isas().back())));
}

}  // namespace vit
