// SPDX-License-Identifier: Apache-2.0
// Hosts whose memory is nearer to some of their CPUs than to others.
#pragma once

#include <string>
#include <vector>

namespace vit::tool {

/// CPUs that this thread may run on.
std::vector<int> own_cpus();

/// `cpus` by the memory node that they are nearest to, as the folders of `root` tell it; all together where they tell nothing.
std::vector<std::vector<int>> memory_nodes(const std::vector<int>& cpus, const std::string& root = "/sys/devices/system/cpu");

/// Keeps the calling thread, and those that it starts from now on, on these CPUs, so that what it touches first is near. A system
/// that forbids it is left as it is: results are the same.
void stay_on(const std::vector<int>& cpus);

}  // namespace vit::tool
