// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/memory_nodes.h"

#include <sched.h>

#include <filesystem>
#include <map>

namespace vit::tool {
namespace {

/// The N of the folder "nodeN" beside a CPU's other properties; empty where there is none.
std::string node_of(int cpu, const std::string& root) {
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/cpu" + std::to_string(cpu), unreadable)) {
    const std::string name = entry.path().filename().string();
    const size_t digits = name.starts_with("node") ? name.find_first_not_of("0123456789", 4) : 0;
    if (digits == std::string::npos && name.size() > 4) return name.substr(4);
  }
  return "";
}

}  // namespace

std::vector<int> own_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  return cpus;
}

std::vector<std::vector<int>> memory_nodes(const std::vector<int>& cpus, const std::string& root) {
  std::map<std::string, std::vector<int>> by_node;
  for (const int cpu : cpus) by_node[node_of(cpu, root)].push_back(cpu);
  if (by_node.size() < 2 || by_node.count("") != 0) return {cpus};
  std::vector<std::vector<int>> nodes;
  for (auto& [node, its] : by_node) nodes.push_back(std::move(its));
  return nodes;
}

void stay_on(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}

}  // namespace vit::tool
