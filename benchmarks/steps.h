// SPDX-License-Identifier: Apache-2.0
// Single steps of a plan on numbers of their own: one image, one thread.
#pragma once

#include <memory>

#include "benchmarks/cases.h"
#include "ops/core/memory.h"
#include "ops/step.h"

namespace vit::bench {

/// What a step and its pass point to.
struct StepRig {
  std::unique_ptr<Step> step;
  std::vector<Buffer<float>> buffers;
  BufferRef y;
  int64_t channels = 0;  ///< of y
  std::vector<uint8_t> pixels;
  ImageRun image;
  ImageRows rows;
  std::vector<TokenInfo> tokens;
  std::function<double(int64_t row, int64_t channel, double* size)> expected;  ///< by plain loops, and its terms' magnitudes

  StepRig() = default;
  StepRig(const StepRig&) = delete;
  void prepare();  ///< once everything above is set
  void run() { step->run(pass_); }
  /// Runs and compares the first, middle and last row, every seventh channel: in time every lane and every tile's edge.
  bool right();
  /// y without the gaps between its rows.
  std::vector<float> result();
  double operations() const { return step->operations(pass_); }

 private:
  std::vector<float*> pointers_;
  ImageRows* row_list_ = nullptr;
  TokenInfo* token_list_ = nullptr;
  Buffer<float> scratch_;
  Pass pass_;
};
using Rig = std::shared_ptr<StepRig>;
Contender contender(const std::string& name, const Rig& rig);

/// [rows, in] x [in, out].
Rig linear_rig(const KernelTable& kernels, int64_t rows, int64_t in, int64_t out);
struct AttentionSize {
  int64_t tokens, heads, head_dim;
};
/// `qkv`: [tokens, 3C].
Rig attention_rig(const KernelTable& kernels, const AttentionSize& size, const std::vector<float>& qkv);
struct PatchSize {
  int64_t side, patch, channels;
  int64_t grid() const { return side / patch; }
  int64_t patch_floats() const { return 3 * patch * patch; }
};
/// 8-bit pixels [side, side, 3]; `weight`: [channels, patch, patch, 3].
Rig patch_rig(const KernelTable& kernels, const PatchSize& size, const std::vector<uint8_t>& pixels,
              const std::vector<float>& weight);

}  // namespace vit::bench
