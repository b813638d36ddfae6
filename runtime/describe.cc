// SPDX-License-Identifier: Apache-2.0
#include "runtime/describe.h"

#include <algorithm>

#include "ops/core/cpu.h"
#include "runtime/io/json.h"

namespace vit {

namespace {

/// What the policy decided otherwise than for 8 bits as they are.
void describe_policy(const QuantPolicy& policy, Json* json) {
  Json kept = Json::array(), moved = Json::array();
  double worst = 1;
  for (const auto& [name, layer] : policy.layers) {
    if (layer.precision != Precision::kInt8) {
      kept.push_back({{"layer", name}, {"precision", precision_name(layer.precision)}, {"int8_cosine", layer.cosine}});
      continue;
    }
    worst = std::min(worst, layer.cosine);
    const auto channels = std::count_if(layer.column_factor.begin(), layer.column_factor.end(), [](float f) { return f != 1; });
    if (channels != 0) moved.push_back({{"layer", name}, {"channels", channels}, {"int8_cosine", layer.cosine}});
  }
  (*json)["kept_layers"] = std::move(kept);
  (*json)["moved_channels"] = std::move(moved);
  (*json)["smallest_int8_cosine"] = worst;
}

}  // namespace

std::string describe_plan(const Plan& plan, const Executor::Memory& memory, int threads, const std::string& isa) {
  Json json;
  json["cpu"] = cpu_name();
  json["isa"] = isa;
  json["threads"] = threads;
  json["backend"] = plan.backend == Backend::kOwn ? "own" : "onednn";
  json["precision"] = precision_name(plan.precision);
  if (plan.policy) describe_policy(*plan.policy, &json);
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
