// SPDX-License-Identifier: Apache-2.0
#include "ops/core/cpu.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "ops/core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

namespace vit {
namespace {

#if defined(__x86_64__)

uint64_t saved_registers() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

/// Linux gives tile registers to processes that ask (Documentation/arch/x86/xstate.rst); threads started later have them too.
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

std::vector<Isa> detect() {
  std::vector<Isa> found{Isa::kSse2};
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const bool osxsave = c & bit_OSXSAVE, fma = c & bit_FMA, f16c = c & bit_F16C, avx = c & bit_AVX;
  if (!osxsave || !fma || !f16c || !avx) return found;
  const uint64_t saved = saved_registers();
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;     // XMM and YMM; opmask and both halves of ZMM (Intel SDM vol. 1, 13.1)
  constexpr uint64_t kTiles = uint64_t{3} << 17;  // their configuration and their data
  uint32_t b7 = 0, c7 = 0, d7 = 0;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return found;
  if ((saved & kYmm) != kYmm || !(b7 & bit_AVX2)) return found;
  found.push_back(Isa::kAvx2);
  const uint32_t all512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD;
  if ((saved & kZmm) != kZmm || (b7 & all512) != all512) return found;
  found.push_back(Isa::kAvx512);
  if (!(c7 & bit_AVX512VNNI)) return found;
  found.push_back(Isa::kAvx512Vnni);
  uint32_t a71 = 0;
  constexpr uint32_t kBf16 = 1 << 5;  // of EAX, leaf 7, subleaf 1
  if (!__get_cpuid_count(7, 1, &a71, &b, &c, &d) || !(a71 & kBf16)) return found;
  found.push_back(Isa::kAvx512Bf16);
  constexpr uint32_t kAmx = 1 << 22 | 1 << 24 | 1 << 25;  // of EDX: AMX-BF16, AMX-TILE, AMX-INT8
  if ((saved & kTiles) == kTiles && (d7 & kAmx) == kAmx && may_use_tiles()) found.push_back(Isa::kAmx);
  return found;
}

#else

std::vector<Isa> detect() { return {Isa::kNeon}; }  // part of every AArch64

#endif

std::string usable_names() {
  std::string names;
  for (const Isa isa : usable_isas()) names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
  return names;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kSse2: return "sse2";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx512Vnni: return "avx512vnni";
    case Isa::kAvx512Bf16: return "avx512bf16";
    case Isa::kAmx: return "amx";
    case Isa::kNeon: return "neon";
  }
  return "unknown";
}

const std::vector<Isa>& usable_isas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> found = detect();
#ifdef VIT_ISAS
    std::erase_if(found, [](Isa isa) {
      return std::string(" " VIT_ISAS " ").find(' ' + std::string(isa_name(isa)) + ' ') == std::string::npos;
    });
#endif
    return found;
  }();
  return isas;
}

Isa choose_isa(const std::string& name) {
  std::string wanted = name;
  std::string source = "isa";
  if (wanted.empty()) {
    const char* variable = std::getenv("VIT_ISA");
    if (variable == nullptr || *variable == '\0') return usable_isas().back();
    wanted = variable;
    source = "VIT_ISA";
  }
  for (const Isa isa : usable_isas())
    if (wanted == isa_name(isa)) return isa;
  throw Error(Code::kUnsupported,
              str(source, ": expected one of ", usable_names(), " (what this CPU can run), got '", wanted, "'"));
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown CPU";
}

int64_t l2_bytes() {
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : int64_t{1} << 20;
}

}  // namespace vit
