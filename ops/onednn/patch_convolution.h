// SPDX-License-Identifier: Apache-2.0
// The usual way to make patches: a convolution whose stride is its kernel. No plan uses it; it is what ours is measured against.
#pragma once

#include <cstdint>
#include <memory>

namespace vit {

struct OneDnnPatchParams {
  int64_t side = 0, patch = 0, out = 0;  ///< one image [3, side, side]
  const float* weight = nullptr;         ///< [out, 3, patch, patch]; read by the constructor only
};

/// On one thread, weights and result in the layouts that oneDNN likes best.
class OneDnnPatchConvolution {
 public:
  explicit OneDnnPatchConvolution(const OneDnnPatchParams& params);
  ~OneDnnPatchConvolution();

  /// `planes`: [3, side, side].
  void run(const float* planes);
  /// The last result as [patches, out].
  void copy_result(float* to) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
