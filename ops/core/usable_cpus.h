// SPDX-License-Identifier: Apache-2.0
// How many threads a pass has when nobody says.
#pragma once

#include <string>
#include <vector>

namespace vit {

/// Where the answer is read from.
struct CpuSources {
  std::string root;       ///< stands before /proc and /sys
  std::vector<int> cpus;  ///< numbers of those that the process may run on
};
/// This process's own.
CpuSources cpu_sources();

/// CPUs of the affinity mask, cut by the quotas of the control groups that the process is in (versions 1 and 2), rounded; at
/// least
/// 1. What cannot be read or makes no sense is passed over.
int usable_cpus(const CpuSources& sources);
/// The same with CPUs that share a core counted once: they have its arithmetic units in common.
int usable_cores(const CpuSources& sources);
/// By this process's own sources.
int usable_cpus();
int usable_cores();

}  // namespace vit
