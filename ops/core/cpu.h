// SPDX-License-Identifier: Apache-2.0
// Which instruction sets this process may use: CPUID and what the operating system saves (XGETBV), or HWCAP.
#pragma once

#include <string>
#include <vector>

namespace vit {

/// Each of x86-64 has all before it. kAvx512 is F, BW, DQ, VL and CD; kAvx512Vnni multiplies 8-bit numbers, kAvx512Bf16 bfloat16
/// too; kAmx is both in tiles.
enum class Isa { kSse2, kAvx2, kAvx512, kAvx512Vnni, kAvx512Bf16, kAmx, kNeon };

const char* isa_name(Isa isa);
/// All that this CPU and this build can run, worst first; never empty.
const std::vector<Isa>& usable_isas();
/// The one to use: `name`, or the environment variable VIT_ISA, or the best. Throws Error(kUnsupported) naming what is usable.
Isa choose_isa(const std::string& name = "");
/// The CPU's own description of itself.
std::string cpu_name();
/// Bytes of the level-2 cache of one core; 1 MiB when the system does not tell.
int64_t l2_bytes();

}  // namespace vit
