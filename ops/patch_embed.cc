// SPDX-License-Identifier: Apache-2.0
#include "ops/patch_embed.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/operands.h"
#include "ops/panel.h"

namespace vit {
namespace {

/// Rows and columns of a patch that lie in the image.
struct Inside {
  int64_t rows, columns;
  Inside(const ImageRun& run, const TokenInfo& patch)
      : rows(std::min<int64_t>(patch.height, (run.planes ? run.plane_height : run.pixels.height) - patch.y)),
        columns(std::min<int64_t>(patch.width, (run.planes ? run.plane_width : run.pixels.width) - patch.x)) {}
  bool all_of(const TokenInfo& patch) const { return rows == patch.height && columns == patch.width; }
};

/// A patch at the right or the bottom, completed by `zero_pixel`.
template <class T>
void gather_part(const PixelView& pixels, const TokenInfo& patch, const Inside& inside, const std::array<T, 3>& zero_pixel,
                 T* to) {
  const uint8_t* from = pixels.data + patch.y * pixels.stride_bytes + patch.x * 3;
  for (int64_t ky = 0; ky < patch.height; ++ky, from += pixels.stride_bytes)
    for (int64_t kx = 0; kx < patch.width; ++kx)
      for (size_t c = 0; c < 3; ++c)
        *to++ = ky < inside.rows && kx < inside.columns ? static_cast<T>(from[3 * kx + static_cast<int64_t>(c)]) : zero_pixel[c];
}

/// Copies of a known size need no call, and most runs are of 14 or 16 numbers.
void copy_run(const float* from, int64_t n, float* to) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) std::memcpy(to + i, from + i, 8 * sizeof(float));
  for (; i < n; ++i) to[i] = from[i];
}

uint8_t to_byte(float pixel) { return static_cast<uint8_t>(std::lround(std::clamp(pixel, 0.0f, 255.0f))); }

}  // namespace

/// What a row holds before the projection is added: the prefix token, or the patch's position.
void PatchEmbedStep::start_row(const Pass& pass, int image, int64_t row) const {
  const ImageRun& run = pass.images[image];
  const int64_t at = row - pass.rows[work.stage][image].begin, prefixes = static_cast<int64_t>(prefix.size());
  const size_t bytes = static_cast<size_t>(channels) * sizeof(float);
  float* to = pass.row(y, row);
  TokenInfo& info = pass.tokens[work.stage][row];
  info = TokenInfo{};
  info.image = static_cast<int32_t>(run.index);
  if (at < prefixes) {
    const PrefixRow& token = prefix[static_cast<size_t>(at)];
    info.kind = token.kind;
    std::memcpy(to, token.value.data(), bytes);
    return;
  }
  const int64_t cell = at - prefixes;
  info.y = static_cast<int32_t>(cell / run.grid_width * patch_height);
  info.x = static_cast<int32_t>(cell % run.grid_width * patch_width);
  info.height = static_cast<int32_t>(patch_height);
  info.width = static_cast<int32_t>(patch_width);
  if (run.positions != nullptr && positions == PatchPositions::kAdd)
    std::memcpy(to, run.positions + cell * channels, bytes);
  else
    std::memset(to, 0, bytes);
}

void PatchEmbedStep::gather(const Pass& pass, int image, int64_t row, float* to) const {
  const ImageRun& run = pass.images[image];
  const TokenInfo& cell = pass.tokens[work.stage][row];
  const Inside inside(run, cell);
  if (run.planes == nullptr) {
    if (!inside.all_of(cell)) return gather_part(run.pixels, cell, inside, zero_pixel, to);
    const int64_t stride = run.pixels.stride_bytes;
    kernels->gather_patch(run.pixels.data + cell.y * stride + cell.x * 3, stride, patch_height, 3 * patch_width, to);
    return;
  }
  for (int64_t c = 0; c < image_channels; ++c)
    for (int64_t ky = 0; ky < patch_height; ++ky, to += patch_width) {
      const float* from = run.planes + (c * run.plane_height + cell.y + ky) * run.plane_width + cell.x;
      __builtin_prefetch(from + 2 * patch_width);  // so many short runs are no stream that a CPU would recognise
      const int64_t columns = ky < inside.rows ? inside.columns : 0;
      copy_run(from, columns, to);
      if (columns < patch_width) std::fill(to + columns, to + patch_width, 0.0f);
    }
}

/// 8-bit pixels are 8-bit operands already.
void PatchEmbedStep::gather_bytes(const Pass& pass, int image, int64_t row, float* to) const {
  const PixelView& pixels = pass.images[image].pixels;
  const TokenInfo& cell = pass.tokens[work.stage][row];
  const size_t run = static_cast<size_t>(3 * patch_width);
  auto* bytes = reinterpret_cast<uint8_t*>(to);
  if (const Inside inside(pass.images[image], cell); inside.all_of(cell)) {
    const uint8_t* from = pixels.data + cell.y * pixels.stride_bytes + cell.x * 3;
    for (int64_t ky = 0; ky < patch_height; ++ky, from += pixels.stride_bytes, bytes += run) std::memcpy(bytes, from, run);
  } else {
    gather_part(pixels, cell, inside, {to_byte(zero_pixel[0]), to_byte(zero_pixel[1]), to_byte(zero_pixel[2])}, bytes);
    bytes += patch_floats();
  }
  const int64_t padded = operand_bytes(Precision::kInt8, patch_floats());
  std::memset(bytes, 0, static_cast<size_t>(padded - patch_floats()));
  const RowScale exact;
  std::memcpy(reinterpret_cast<uint8_t*>(to) + padded, &exact, sizeof exact);
}

void PatchEmbedStep::run(const Pass& pass) const noexcept {
  const int64_t stride = row_stride(patch_floats());
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) start_row(pass, image, r);
    const int64_t first_patch = pass.rows[work.stage][image].begin + static_cast<int64_t>(prefix.size());
    const PackedLinear& w = pass.images[image].planes == nullptr ? *pixel_weights : *plane_weights;
    for_tiles(std::max(begin, first_patch), std::max(end, first_patch), kBlockRows, [&](int64_t block, int64_t count) {
      if (w.precision != Precision::kF32) return run_product(pass, image, block, count, w);
      for (int64_t i = 0; i < count; ++i) gather(pass, image, block + i, pass.scratch + i * stride);
      for (int64_t p = 0; p < w.panels(); ++p) {
        const int64_t column = p * w.panel;
        multiply_panel(*kernels, w, p,
                       {.x = pass.scratch,
                        .x_stride = stride,
                        .bias = w.bias.data() + column,
                        .y = pass.row(y, block) + column,
                        .y_stride = y.stride,
                        .store = TileStore::kAdd},
                       count, 0, count);
      }
    });
  });
}

void PatchEmbedStep::run_product(const Pass& pass, int image, int64_t row, int64_t rows, const PackedLinear& w) const {
  const int64_t stride = row_stride(operand_floats(w.precision, patch_floats())), float_stride = row_stride(patch_floats());
  float* floats = pass.scratch + kBlockRows * stride;
  for_tiles(0, rows, kOperandRows, [&](int64_t first, int64_t count) {
    float* const operands = pass.scratch + first * stride;
    const bool bytes = w.precision == Precision::kInt8 && pass.images[image].planes == nullptr;
    for (int64_t i = 0; i < count; ++i)
      bytes ? gather_bytes(pass, image, row + first + i, operands + i * stride)
            : gather(pass, image, row + first + i, floats + i * float_stride);
    if (!bytes) make_operands(*kernels, w.precision, floats, float_stride, count, patch_floats(), operands, stride);
  });
  Product product = product_with(w, 0, w.out);
  product.x = pass.scratch, product.x_stride = stride * 4, product.rows = rows;
  product.y = pass.row(y, row), product.y_stride = y.stride;
  product.store = ProductStore::kAdd;
  multiply(*kernels, w.precision, product);
}

double PatchEmbedStep::operations(const Pass& pass) const noexcept {
  double patches = 0;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const int64_t first_patch = pass.rows[work.stage][image].begin + static_cast<int64_t>(prefix.size());
    patches += static_cast<double>(std::max(end, first_patch) - std::max(begin, first_patch));
  });
  return 2.0 * patches * static_cast<double>(patch_floats()) * static_cast<double>(channels);
}

}  // namespace vit
