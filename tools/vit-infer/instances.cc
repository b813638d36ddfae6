// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/instances.h"

#include <algorithm>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {

/// The one of --instances, --latency and --throughput that is there; the command line goes before settings.
std::string chosen_goal(const Arguments& arguments) {
  for (const bool setting : {false, true}) {
    std::vector<std::string> found;
    for (const std::string name : {"instances", "latency", "throughput"})
      if (arguments.has(name) && (arguments.origins.count(name) != 0) == setting) found.push_back(name);
    if (found.size() > 1)
      throw Failure(kUsage, arguments.named(found[1]) + ": expected no " + arguments.named(found[0]) + " beside it");
    if (!found.empty()) return found[0];
  }
  return "";
}

}  // namespace

Instances choose_instances(const Arguments& arguments, size_t batch, int cpus, const std::function<bool(size_t)>& many) {
  constexpr size_t kMost = 1024;
  const size_t given = arguments.whole("threads", 0, kMost, 0);
  // Sessions side by side have a CPU each, those that share a core, too: while one decodes, the other multiplies.
  const size_t threads = given != 0 ? given : static_cast<size_t>(cpus);
  const std::string goal = chosen_goal(arguments);
  size_t count = goal == "instances"    ? arguments.whole("instances", 1, kMost, 0)
                 : goal == "latency"    ? 1
                 : goal == "throughput" ? threads
                                        : 0;
  // With fewer images than two for each thread, the last ones would leave threads without work for too long.
  if (count == 0) count = threads > 1 && many(2 * threads * batch) ? threads : 1;
  if (count == 1) return {1, static_cast<int>(given)};
  return {count, static_cast<int>(std::max<size_t>(1, threads / count))};
}

}  // namespace vit::tool
