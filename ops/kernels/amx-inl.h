// SPDX-License-Identifier: Apache-2.0
// Products of narrow operands on AMX: tiles of up to 16 rows x 64 bytes (Intel SDM vol. 1, chapter 18). A tile of weights is 16
// steps of 16 columns, as they lie in a panel.
#pragma once

#include "ops/kernels/dot-inl.h"

namespace vit {
namespace {

constexpr int kAmxRows = 16, kAmxColumns = 16, kAmxSteps = 16;
constexpr int kAmxPanelColumns = 2 * kAmxColumns;

/// Rows of the tiles. Tiles 0 and 1 are the sums of the first rows with two columns of tiles, 2 and 3 those of the second rows;
/// 4 and 5 hold the rows' operands, 6 and 7 the weights.
VIT_INLINE void configure(int first_rows, int second_rows) {
  alignas(64) struct {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {};
  } config;
  const auto first = static_cast<uint8_t>(first_rows), second = static_cast<uint8_t>(second_rows > 0 ? second_rows : 1);
  config.rows[0] = config.rows[1] = config.rows[4] = first;
  config.rows[2] = config.rows[3] = config.rows[5] = second;
  config.rows[6] = config.rows[7] = kAmxSteps;
  // GCC's intrinsics do not say that they read memory.
  __asm__ volatile("" ::: "memory");
  _tile_loadconfig(&config);
}

// The intrinsics take the numbers of tiles as text.
#define VIT_MULTIPLY_TILES(sum, x, w)   \
  if constexpr (__is_same(Dot, Int8)) { \
    _tile_dpbusd(sum, x, w);            \
  } else {                              \
    _tile_dpbf16ps(sum, x, w);          \
  }

/// Two tiles of columns, one or two of rows, summed over all steps; brings lines from `soon` to the level-2 cache as it goes.
/// `sums`: rows `stride_bytes` apart.
template <class Dot, bool kTwo>
VIT_INLINE void amx_block(const uint8_t* x, int64_t x_stride, const uint8_t* w, int64_t steps, int first_rows, void* sums,
                          int64_t stride_bytes, const uint8_t* soon, int64_t soon_lines) {
  constexpr int64_t kRowBytes = 4 * kAmxPanelColumns, kTileBytes = 4 * kAmxColumns;
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kTwo) {
    _tile_zero(2);
    _tile_zero(3);
  }
  const int64_t turns = steps / kAmxSteps;
  float awake = 0.0f;
  for (int64_t turn = 0, line = 0; turn < turns; ++turn, x += 4 * kAmxSteps, w += kAmxSteps * kRowBytes) {
    _tile_loadd(4, x, x_stride);
    _tile_loadd(6, w, kRowBytes);
    VIT_MULTIPLY_TILES(0, 4, 6);
    _tile_loadd(7, w + kTileBytes, kRowBytes);
    VIT_MULTIPLY_TILES(1, 4, 7);
    if constexpr (kTwo) {
      _tile_loadd(5, x + first_rows * x_stride, x_stride);
      VIT_MULTIPLY_TILES(2, 5, 6);
      VIT_MULTIPLY_TILES(3, 5, 7);
    }
    // On Xeons the unit for floats falls asleep after some 2,200 cycles without work, and takes 1,200 to wake up: the tiles'
    // stores below would wait for it.
    awake *= awake;
    __asm__ volatile("" : "+x"(awake));
    for (const int64_t stop = soon_lines * (turn + 1) / turns; line < stop; ++line) __builtin_prefetch(soon + 64 * line, 0, 2);
  }
  auto* to = static_cast<uint8_t*>(sums);
  _tile_stored(0, to, stride_bytes);
  _tile_stored(1, to + kTileBytes, stride_bytes);
  if constexpr (kTwo) {
    _tile_stored(2, to + first_rows * stride_bytes, stride_bytes);
    _tile_stored(3, to + first_rows * stride_bytes + kTileBytes, stride_bytes);
  }
}

#undef VIT_MULTIPLY_TILES

/// A panel is as wide as a block, so that what a block reads of the weights lies together: with every other half left out, it
/// would fall into half of the first-level cache's sets. Blocks of up to 32 rows, so that each tile of operands is used twice,
/// all of the same number: to configure tiles takes as long as ten multiplications. So the last one begins where it has that
/// many, and what it computes again is left out.
template <class Dot>
VIT_INLINE void amx_product(const Product& p) {
  assert(p.rows >= 1 && p.columns >= 1 && p.steps % kAmxSteps == 0);
  using Sum = typename Dot::Sum;
  alignas(64) Sum sums[2 * kAmxRows * kAmxPanelColumns];
  const int64_t blocks = (p.rows + 2 * kAmxRows - 1) / (2 * kAmxRows), panel_bytes = p.steps * kAmxPanelColumns * 4;
  const int rows = static_cast<int>((p.rows + blocks - 1) / blocks), first = rows > kAmxRows ? (rows + 1) / 2 : rows;
  configure(first, rows - first);
  // Nothing to do to the sums: they are the result.
  const bool plain = __is_same(Sum, float) && only_multiplied(p) && p.row_factor == nullptr;
  const auto* w = static_cast<const uint8_t*>(p.panels);
  for (int64_t column = 0; column < p.columns; column += kAmxPanelColumns, w += panel_bytes) {
    const int64_t left = p.columns - column, soon_lines = left > kAmxPanelColumns || p.more ? panel_bytes / 64 : 0;
    const bool direct = plain && left >= kAmxPanelColumns;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t from = b * rows, at = from + rows <= p.rows ? from : p.rows - rows;
      const auto* x = static_cast<const uint8_t*>(p.x) + at * p.x_stride;
      void* to = direct ? static_cast<void*>(static_cast<float*>(p.y) + at * p.y_stride + column) : sums;
      const int64_t stride = direct ? p.y_stride * 4 : kAmxPanelColumns * 4;
      const int64_t line = soon_lines * b / blocks, count = soon_lines * (b + 1) / blocks - line;
      const uint8_t* soon = w + panel_bytes + 64 * line;
      if (rows > first)
        amx_block<Dot, true>(x, p.x_stride, w, p.steps, first, to, stride, soon, count);
      else
        amx_block<Dot, false>(x, p.x_stride, w, p.steps, first, to, stride, soon, count);
      if (direct) continue;
      const int64_t again = from - at;
      finish(p, {from, column, static_cast<int>(rows - again), kAmxPanelColumns}, sums + again * kAmxPanelColumns,
             kAmxPanelColumns);
    }
  }
  _tile_release();
}

}  // namespace
}  // namespace vit
