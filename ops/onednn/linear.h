// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "ops/activation.h"

namespace vit {

struct OneDnnLinearParams {
  int64_t in = 0, out = 0;
  int64_t x_stride = 0, y_stride = 0;  ///< floats from row to row; equal to `in` and `out` is fastest
  const float* weight = nullptr;       ///< [out, in], row-major; read by the constructor only, as all that follow
  const float* bias = nullptr;         ///< [out] or null
  const float* gamma = nullptr;        ///< [out] or null: LayerScale, folded into weight and bias
  Activation activation = Activation::kNone;
  bool accumulate = false;  ///< y = y + ..., without an activation
};

/// y = act(x Wᵀ + b), or y = y + gamma * (x Wᵀ + b).
///
/// Weights are reordered once into the layout that oneDNN likes best. Only if it has no fast code for that layout at some number
/// of rows, a second layout is kept for it.
class OneDnnLinear {
 public:
  explicit OneDnnLinear(
      const OneDnnLinearParams& params);  ///< Throws Error(kUnsupported, kMemory, kInternal), as what may follow below.
  OneDnnLinear(OneDnnLinear&&) noexcept;
  ~OneDnnLinear();

  /// Bytes of scratch for run() with up to `max_rows` rows. Later reservations keep to the largest answer given.
  int64_t scratch_bytes(int64_t max_rows) const;
  /// Makes the primitive for calls of `rows` rows. Not while run() runs.
  void reserve(int64_t rows);
  /// Any number of rows; one that was not reserved is cut into such as were. Several threads may call it, on different rows.
  void run(int64_t rows, const float* x, float* y, void* scratch) const noexcept;

  int64_t in() const;
  int64_t out() const;
  /// oneDNN's name for the code that runs 64 rows.
  const char* implementation() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
