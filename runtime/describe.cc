// SPDX-License-Identifier: Apache-2.0
#include "runtime/describe.h"

#include "ops/core/cpu.h"
#include "runtime/io/json.h"

namespace vit {

std::string describe_plan(const Plan& plan, const Executor::Memory& memory, int threads, const std::string& isa) {
  Json json;
  json["cpu"] = cpu_name();
  json["isa"] = isa;
  json["threads"] = threads;
  json["backend"] = plan.backend == Backend::kOwn ? "own" : "onednn";
  json["barriers"] = plan.barriers();
  json["activation_bytes"] = memory.activation_bytes;
  json["scratch_bytes"] = memory.scratch_bytes;
  json["packed_weight_bytes"] = plan.weight_bytes;
  Json steps = Json::array();
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = *plan.steps[s];
    static const char* const over[] = {"rows", "prefix rows", "images"};
    steps.push_back({{"name", step.name},
                     {"implementation", step.implementation},
                     {"over", over[static_cast<int>(step.work.over)]},
                     {"barrier_before", static_cast<bool>(plan.barrier_before[s])}});
  }
  json["steps"] = std::move(steps);
  return json.dump();
}

}  // namespace vit
