// SPDX-License-Identifier: Apache-2.0
#include "ops/kernel_table.h"

namespace vit {

#if defined(__x86_64__)
extern const KernelTable kernels_sse2, kernels_avx2, kernels_avx512, kernels_avx512vnni, kernels_avx512bf16, kernels_amx;
#else
extern const KernelTable kernels_neon;
#endif

const KernelTable& kernels(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kAmx: return kernels_amx;
    case Isa::kAvx512Bf16: return kernels_avx512bf16;
    case Isa::kAvx512Vnni: return kernels_avx512vnni;
    case Isa::kAvx512: return kernels_avx512;
    case Isa::kAvx2: return kernels_avx2;
    default: return kernels_sse2;
  }
#else
  (void)isa;
  return kernels_neon;
#endif
}

}  // namespace vit
