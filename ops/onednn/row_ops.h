// SPDX-License-Identifier: Apache-2.0
// What stands alone between matrix products. Rows are floats `stride` apart; any number of rows; several threads may call run()
// of one object, on different rows. Constructors throw Error(kUnsupported, kMemory, kInternal).
#pragma once

#include <cstdint>
#include <memory>

#include "ops/activation.h"

namespace vit {

/// y = (x - mean) / sqrt(var + eps) * gamma + beta. y may be x. Rows with gaps between them take a call each.
class OneDnnLayerNorm {
 public:
  OneDnnLayerNorm(int64_t channels, float eps, const float* gamma, const float* beta, int64_t x_stride, int64_t y_stride);
  OneDnnLayerNorm(OneDnnLayerNorm&&) noexcept;
  ~OneDnnLayerNorm();

  /// Bytes of scratch for run() with up to `max_rows` rows. Later reservations keep to the largest answer given.
  int64_t scratch_bytes(int64_t max_rows) const;
  /// Makes the primitive for calls of `rows` rows. Not while run() runs.
  void reserve(int64_t rows);
  void run(int64_t rows, const float* x, float* y, void* scratch) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One row of `channels` a call to oneDNN: such layers are rare and wide.
class OneDnnActivation {
 public:
  OneDnnActivation(int64_t channels, Activation activation);
  OneDnnActivation(OneDnnActivation&&) noexcept;
  ~OneDnnActivation();

  int64_t scratch_bytes() const;
  /// y = act(x). y may be x.
  void run(int64_t rows, const float* x, int64_t x_stride, float* y, int64_t y_stride, void* scratch) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

enum class OneDnnPairwise { kAdd, kMultiply };

/// y = a + b or a * b, one row a call. y may be either. A stride of 0 repeats a row.
class OneDnnBinary {
 public:
  OneDnnBinary(int64_t channels, OneDnnPairwise kind);
  OneDnnBinary(OneDnnBinary&&) noexcept;
  ~OneDnnBinary();

  int64_t scratch_bytes() const;
  void run(int64_t rows, const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y, int64_t y_stride,
           void* scratch) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
