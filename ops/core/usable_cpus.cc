// SPDX-License-Identifier: Apache-2.0
#include "ops/core/usable_cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <optional>
#include <thread>

namespace vit {
namespace {

constexpr int kMostCpus = 1 << 16;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// A count at `at`, which moves behind it.
std::optional<int> count_at(const char*& at) {
  if (*at < '0' || *at > '9') return {};
  char* end = nullptr;
  const long value = std::strtol(at, &end, 10);
  at = end;
  return value < kMostCpus ? std::optional(static_cast<int>(value)) : std::nullopt;
}

/// The CPUs of "0-1,64"; none where it is no such list.
std::vector<int> parse_list(const std::string& text) {
  std::vector<int> list;
  for (const char* at = text.c_str(); *at != '\0';) {
    const std::optional<int> first = count_at(at);
    const std::optional<int> last = *at == '-' ? count_at(++at) : first;
    if (!first || !last || *last < *first || list.size() + static_cast<size_t>(*last - *first) >= kMostCpus) return {};
    for (int cpu = *first; cpu <= *last; ++cpu) list.push_back(cpu);
    if (*at == ',')
      ++at;
    else if (*at != '\0')
      return {};
  }
  return list;
}

int cores(const CpuSources& sources) {
  int count = 0;
  for (const int cpu : sources.cpus) {
    const std::vector<int> siblings = parse_list(
        first_line(sources.root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list"));
    const auto is = [](const std::vector<int>& list, int one) { return std::find(list.begin(), list.end(), one) != list.end(); };
    const bool sensible = is(siblings, cpu);
    count += !sensible ||
             std::none_of(siblings.begin(), siblings.end(), [&](int other) { return other < cpu && is(sources.cpus, other); });
  }
  return count;
}

/// CPUs by a quota of `quota` microseconds each `period`; none where it sets no limit.
std::optional<double> share(const std::string& quota, const std::string& period) {
  const double time = std::strtod(quota.c_str(), nullptr), each = std::strtod(period.c_str(), nullptr);  // "max", "-1": no limit
  if (!(time > 0) || !(each > 0) || !std::isfinite(time / each)) return {};
  return time / each;
}

std::optional<double> quota_of_folder(const std::string& folder) {
  const std::string both = first_line(folder + "/cpu.max");  // version 2
  if (const size_t space = both.find(' '); space != std::string::npos) return share(both.substr(0, space), both.substr(space));
  return share(first_line(folder + "/cpu.cfs_quota_us"), first_line(folder + "/cpu.cfs_period_us"));
}

/// The smallest quota of a group and those around it. In a container the group's name may be that of the host, of which only the
/// root is mounted.
std::optional<double> quota_below(const std::string& mount, std::string group) {
  std::optional<double> least;
  if (!group.starts_with('/') || group.find("..") != std::string::npos) group.clear();
  for (;; group.erase(group.rfind('/'))) {
    while (group.ends_with('/')) group.pop_back();
    const std::optional<double> found = quota_of_folder(mount + group);
    if (found) least = std::min(*found, least.value_or(*found));
    if (group.find('/') == std::string::npos) return least;
  }
}

std::optional<double> quota(const std::string& root) {
  std::optional<double> least;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:group
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    const bool version_2 = controllers.empty();
    if (!version_2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    for (const std::string& mount :
         version_2 ? std::vector<std::string>{"", "/unified"} : std::vector<std::string>{"/cpu", "/" + controllers}) {
      const std::optional<double> found = quota_below(root + "/sys/fs/cgroup" + mount, group);
      if (found) least = std::min(*found, least.value_or(*found));
    }
  }
  return least;
}

int cut_by_quota(int count, const CpuSources& sources) {
  const std::optional<double> limit = quota(sources.root);
  return std::max(1, limit && *limit < count ? static_cast<int>(std::lround(*limit)) : count);
}

/// The affinity mask, however many CPUs the kernel knows.
std::vector<int> affinity() {
  std::vector<int> cpus;
  for (int most = CPU_SETSIZE; most <= kMostCpus; most *= 2) {
    std::vector<cpu_set_t> set(static_cast<size_t>(most / CPU_SETSIZE));
    const size_t bytes = set.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, set.data()) != 0) continue;
    for (int cpu = 0; cpu < most; ++cpu)
      if (CPU_ISSET_S(static_cast<size_t>(cpu), bytes, set.data())) cpus.push_back(cpu);
    return cpus;
  }
  cpus.resize(std::max(1u, std::thread::hardware_concurrency()));
  std::iota(cpus.begin(), cpus.end(), 0);
  return cpus;
}

}  // namespace

CpuSources cpu_sources() { return {"", affinity()}; }

int usable_cpus(const CpuSources& sources) { return cut_by_quota(static_cast<int>(sources.cpus.size()), sources); }
int usable_cores(const CpuSources& sources) { return cut_by_quota(cores(sources), sources); }
int usable_cpus() { return usable_cpus(cpu_sources()); }
int usable_cores() { return usable_cores(cpu_sources()); }

}  // namespace vit
