// SPDX-License-Identifier: Apache-2.0
// From a model to the bytes of a .vit file (docs/vit-format.md).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quant/policy.h"
#include "runtime/image/pixels.h"
#include "runtime/model.h"

namespace vit {

enum class Scheme { kInt8, kBF16, kF16, kF32 };

/// Layers whose names match a pattern of fnmatch(3) are computed in this.
struct KeptLayers {
  std::string pattern;
  Precision precision = Precision::kBF16;
};

struct QuantiseOptions {
  Scheme scheme = Scheme::kInt8;
  std::string isa = {};  ///< whose layout and arithmetic the file is made for; empty: VIT_ISA or the best
  double min_cosine = kDefaultMinCosine;
  std::vector<KeptLayers> keep = {};  ///< the last that matches counts
  /// Pictures to calibrate on, as the model sees them, in their order; may throw. 0: the seeded one, and no smoothing.
  int64_t pictures = 0;
  std::function<Pixels(int64_t index)> picture = nullptr;
  int threads = 0;                                                    ///< that run these; 0: usable_cores()
  std::function<void(size_t done, size_t total)> progress = nullptr;  ///< may throw, which ends the work
};

/// The whole file. The same model, pictures, options and CPU give the same bytes, whatever the threads. Throws Error: kArgument
/// for a pattern that no layer matches, or for pictures where they make no sense, kUnsupported, kMemory.
Buffer<uint8_t> quantise(const std::shared_ptr<const Model>& model, const QuantiseOptions& options);

}  // namespace vit
