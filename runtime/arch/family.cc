// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/family.h"

#include <string>

namespace vit {
namespace {

struct Family {
  const char* model_type;
  BuiltModel (*build)(const JsonFields&, const WeightStore&);
};

constexpr Family kFamilies[] = {
    {"vit", build_hf_vit},
    {"deit", build_hf_deit},
    {"vit_msn", build_hf_vit_msn},
    {"vit_mae", build_hf_vit_mae},
    {"ijepa", build_hf_ijepa},
    {"dinov2", build_hf_dinov2},
    {"dinov2_with_registers", build_hf_dinov2},
};

std::string supported() {
  std::string names;
  for (const Family& family : kFamilies) names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return "one of the supported families (" + names + ")";
}

}  // namespace

BuiltModel build_model(const JsonFields& config, const WeightStore& store) {
  if (config.has("architecture")) return build_timm_vit(config, store);
  if (!config.has("model_type")) config.fail("model_type", supported());
  const std::string type = config.text("model_type");
  for (const Family& family : kFamilies)
    if (type == family.model_type) return family.build(config, store);
  config.fail("model_type", supported());
}

}  // namespace vit
