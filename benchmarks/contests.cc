// SPDX-License-Identifier: Apache-2.0
// Sizes that fill no vector, tile or panel against aligned ones near them.
#include "benchmarks/steps.h"

namespace vit::bench {

std::vector<ContestResult> time_awkward_shapes(const std::string& isa, double seconds) {
  const KernelTable& table = kernels(choose_isa(isa));
  const auto attention = [&](const AttentionSize& size) {
    return attention_rig(table, size, numbers(size.tokens * 3 * size.heads * size.head_dim, 1));
  };
  const auto patches = [&](const PatchSize& size) {
    return patch_rig(table, size, bytes(size.side * size.side * 3, 1), numbers(size.channels * size.patch_floats(), 2));
  };
  std::vector<ContestResult> out;
  const auto add = [&](const std::string& about, const std::string& name, const Rig& rig, const std::string& other_name,
                       const Rig& other) {
    out.push_back(
        contest(about, contender(name, rig), contender(other_name, other), rig->right() && other->right(), seconds / 5));
  };
  add("linear: width", "197 x 1152 x 1152", linear_rig(table, 197, 1152, 1152), "197 x 1024 x 1024",
      linear_rig(table, 197, 1024, 1024));
  add("linear: tokens", "1025 x 1024 x 1024", linear_rig(table, 1025, 1024, 1024), "1024 x 1024 x 1024",
      linear_rig(table, 1024, 1024, 1024));
  add("attention: head", "256 tokens, 16 heads of 72", attention({256, 16, 72}), "256 tokens, 16 heads of 64",
      attention({256, 16, 64}));
  add("attention: tokens", "1025 tokens, 4 heads of 64", attention({1025, 4, 64}), "1024 tokens, 4 heads of 64",
      attention({1024, 4, 64}));
  add("patches: patch", "patch 14 of 224, width 1152", patches({224, 14, 1152}), "patch 16 of 256, width 1024",
      patches({256, 16, 1024}));
  return out;
}

#if !defined(VIT_HAVE_ONEDNN)
std::vector<ContestResult> time_against_onednn(const std::string&, double) { return {}; }
#endif

}  // namespace vit::bench
