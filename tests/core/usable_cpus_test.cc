// SPDX-License-Identifier: Apache-2.0
// Cores, affinity and quotas, from folders that look like /proc and /sys.
#include "ops/core/usable_cpus.h"

#include <map>

#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

using Files = std::map<std::string, std::string>;

int usable(const std::vector<int>& cpus, const Files& files) {
  const TempFolder folder;
  for (const auto& [name, text] : files) folder.write(name, text);
  const CpuSources sources{folder.path(), cpus};
  CHECK(usable_cpus(sources) >= usable_cores(sources));
  return usable_cores(sources);
}

/// Files that say which CPUs share a core.
Files cores(const std::vector<std::string>& siblings) {
  Files files;
  for (size_t cpu = 0; cpu < siblings.size(); ++cpu)
    files["sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list"] = siblings[cpu] + "\n";
  return files;
}

TEST_CASE("CPUs that share a core count once", "[core]") {
  const Files neighbours = cores({"0-1", "0-1", "2-3", "2-3"}), halves = cores({"0,2", "1,3", "0,2", "1,3"});
  CHECK(usable({0, 1, 2, 3}, neighbours) == 2);
  CHECK(usable({0, 1, 2, 3}, halves) == 2);
  CHECK(usable({1, 3}, neighbours) == 2);  // the first of each core is not ours
  CHECK(usable({1, 3}, halves) == 1);
  CHECK(usable({0, 1, 2}, halves) == 2);
  CHECK(usable({2}, neighbours) == 1);
  CHECK(usable({0, 1, 2, 3}, cores({"0", "1", "2", "3"})) == 4);
  CHECK(usable({0, 1, 2, 3, 4, 5, 6, 7}, cores({"0,4-6", "1,7", "2", "3", "0,4-6", "0,4-6", "0,4-6", "1,7"})) == 4);
}

TEST_CASE("CPUs that share a core are CPUs all the same, and a quota cuts them", "[core]") {
  const TempFolder folder;
  for (const auto& [name, text] : cores({"0-1", "0-1", "2-3", "2-3"})) folder.write(name, text);
  CHECK(usable_cpus({folder.path(), {0, 1, 2, 3}}) == 4);
  folder.write("proc/self/cgroup", "0::/\n");
  folder.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  CHECK(usable_cpus({folder.path(), {0, 1, 2, 3}}) == 3);
  CHECK(usable_cores({folder.path(), {0, 1, 2, 3}}) == 2);
  CHECK(usable_cpus({folder.path(), {}}) == 1);
}

TEST_CASE("a topology that is missing or makes no sense leaves each CPU a core", "[core]") {
  CHECK(usable({0, 1, 2}, {}) == 3);
  for (const char* list :
       {"", "x", "0-", "-1", "0-1-2", "1-0", ",0", "0,,1", "0-99999999999999999999", "0-65535,0-65535", "7", "0 1"})
    for (const char* other : {"", "0-1"}) {
      CAPTURE(list, other);
      CHECK(usable({0, 1}, cores({list, *other == '\0' ? list : "1"})) == 2);
    }
  CHECK(usable({}, {}) == 1);
}

TEST_CASE("the quota of a control group limits the CPUs, in both versions", "[core]") {
  const auto with = [](const std::string& groups, Files files) {
    files["proc/self/cgroup"] = groups;
    return usable({0, 1, 2, 3, 4, 5, 6, 7}, files);
  };
  const std::string two = "0::/user.slice/job\n", one = "5:memory:/m\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n";
  CHECK(with(two, {{"sys/fs/cgroup/user.slice/job/cpu.max", "300000 100000\n"}}) == 3);
  CHECK(with(two, {{"sys/fs/cgroup/user.slice/cpu.max", "50000 10000\n"},
                   {"sys/fs/cgroup/user.slice/job/cpu.max", "max 10000\n"}}) == 5);
  CHECK(with(two, {{"sys/fs/cgroup/user.slice/cpu.max", "20000 10000\n"},
                   {"sys/fs/cgroup/user.slice/job/cpu.max", "50000 10000\n"}}) == 2);
  CHECK(with(two, {{"sys/fs/cgroup/cpu.max", "250000 100000\n"}}) == 3);  // as a container sees its own group
  CHECK(with(two, {{"sys/fs/cgroup/cpu.max", "10000 100000\n"}}) == 1);
  CHECK(with(two, {{"sys/fs/cgroup/cpu.max", "900000 100000\n"}}) == 8);
  CHECK(with("0::/../..\n", {{"sys/fs/cgroup/cpu.max", "200000 100000\n"}}) == 2);
  CHECK(with("0::/\n", {{"sys/fs/cgroup/unified/cpu.max", "200000 100000\n"}}) == 2);

  const auto v1 = [&](const std::string& folder, const char* quota) {
    return with(one, {{folder + "/cpu.cfs_quota_us", quota}, {folder + "/cpu.cfs_period_us", "100000\n"}});
  };
  CHECK(v1("sys/fs/cgroup/cpu/docker/abc", "400000\n") == 4);
  CHECK(v1("sys/fs/cgroup/cpu,cpuacct", "200000\n") == 2);
  CHECK(v1("sys/fs/cgroup/cpu", "-1\n") == 8);
  CHECK(v1("sys/fs/cgroup/memory", "100000\n") == 8);
}

TEST_CASE("a control group that makes no sense sets no limit", "[core]") {
  for (const char* limit :
       {"", "max", "100000", "x y", "0 100000", "100000 0", "-5 100000", "nan 1", "inf 100000", "1e308 1e-308", " "}) {
    CAPTURE(limit);
    CHECK(usable({0, 1, 2}, {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", limit}}) == 3);
  }
  for (const char* groups : {"", ":", "::", "0:", "\n\n", "0::", "0::no-slash", "cpu", "1:cpu"}) {
    CAPTURE(groups);
    CHECK(usable({0, 1, 2}, {{"proc/self/cgroup", groups}}) == 3);
  }
}

TEST_CASE("at least one CPU of this process may be used, and no more than it may run on", "[core]") {
  CHECK(usable_cores() >= 1);
  CHECK(usable_cores() <= usable_cpus());
  CHECK(usable_cpus() <= static_cast<int>(cpu_sources().cpus.size()));
}

}  // namespace
}  // namespace vit
