// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

namespace vit {

/// y = softmax(q Kᵀ / sqrt(D)) V, head by head, for some rows of one image against all of its rows.
///
/// qkv: [tokens, 3C], each row q, k, v with heads of D channels, rows qkv_stride apart; y: [tokens, C], rows y_stride apart.
/// Two matrix products and a softmax a block of rows and head; scratch grows linearly with the number of tokens.
class OneDnnAttention {
 public:
  OneDnnAttention(int64_t heads, int64_t head_dim, int64_t qkv_stride, int64_t y_stride);
  OneDnnAttention(OneDnnAttention&&) noexcept;
  ~OneDnnAttention();

  /// Bytes of scratch for run() with images of up to `max_tokens` rows. Later reservations keep to the largest answer given.
  int64_t scratch_bytes(int64_t max_tokens) const;
  /// Makes the primitives for calls of `rows` rows in an image of `tokens`. Throws Error. Not while run() runs.
  void reserve(int64_t rows, int64_t tokens);
  /// Rows [first, last) of an image whose `tokens` was reserved, with any number of rows. Several threads may call it, on
  /// different rows. qkv and y point at the image's first row.
  void run(int64_t first, int64_t last, int64_t tokens, const float* qkv, float* y, void* scratch) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vit
