// SPDX-License-Identifier: Apache-2.0
// The float32 matrix tile.
#pragma once

#include "ops/kernels/activation-inl.h"

namespace vit {
namespace {

// Accumulators, a row of weights and one broadcast fill the register file: 6 rows x 4 vectors where there are 32 registers,
// 6 x 2 and 4 x 2 (no FMA: the product needs a register) where there are 16. Of the shapes that fit, 6 x 4 loads least: 10 values
// for 24 multiply-adds, where 12 x 2 loads 14; on a core whose other hardware thread is busy that is worth a tenth of the time.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileRows = 6, kPanelVectors = 4;
#elif defined(__FMA__)
constexpr int kTileRows = 6, kPanelVectors = 2;
#else
constexpr int kTileRows = 4, kPanelVectors = 2;
#endif
constexpr int kPanelColumns = kPanelVectors * static_cast<int>(kLanes);

// A block of a panel's weights stays in a cache while the rows pass: in the second level, together with the rows. Intel's cores
// that have AMX are better off with one in the first, of 48 KB, to which each tile brings the next one's rows.
#if defined(__AMX_TILE__)
constexpr int kDepthBlock = 128;
constexpr bool kAsksForRows = true;
#else
constexpr int kDepthBlock = 768;
constexpr bool kAsksForRows = false;
#endif

/// R rows x J vectors. Each sum runs over k in order, in one accumulator: a row's bits do not depend on R.
template <int R, int J>
void tile_of(const MatmulTile& t, float* y, int64_t y_stride) noexcept {
  Vec acc[R][J];
  const float* const start = t.sums ? t.sums : t.bias;
  const int64_t start_stride = t.sums ? kPanelColumns : 0;
#pragma GCC unroll 6
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) acc[i][j] = start ? load(start + i * start_stride + j * kLanes) : Vec(0.0f);

  if constexpr (J * kLanes * sizeof(float) <= 64)
    for (int i = 0; i < R; ++i) ask_for_result(y + i * y_stride);
  const float* x = t.x;
  const int64_t stride = t.x_stride;
  const float* w = t.panel;
  const auto* soon = static_cast<const float*>(t.prefetch);
  const float* const soon_end = soon + 16 * t.prefetch_lines;
  for (int64_t p = 0; p < t.k;) {
    if (kAsksForRows && p % kLanes == 0)
      for (int i = R; i < 2 * R; ++i) __builtin_prefetch(x + i * stride + p);
    // Spread out, so that the few line fill buffers are never full: a burst would stall the loads of this tile.
    if (soon < soon_end) __builtin_prefetch(soon, 0, 2);
    soon += 16;
    for (const int64_t stop = p + 4 < t.k ? p + 4 : t.k; p < stop; ++p, w += kPanelColumns) {
      Vec weight[J];
#pragma GCC unroll 4
      for (int j = 0; j < J; ++j) weight[j] = load(w + j * kLanes);
#pragma GCC unroll 6
      for (int i = 0; i < R; ++i) {
        const Vec value(x[i * stride + p]);
#pragma GCC unroll 4
        for (int j = 0; j < J; ++j) acc[i][j] = mul_add(value, weight[j], acc[i][j]);
      }
    }
  }

  const auto each = [&](auto put) __attribute__((always_inline)) {
#pragma GCC unroll 6
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < J; ++j) put(y + i * y_stride + j * kLanes, j, acc[i][j]);
  };
  const float* const gamma = t.gamma;
  switch (t.store) {
    case TileStore::kWrite: return each([](float* at, int, Vec v) __attribute__((always_inline)) { store(at, v); });
    case TileStore::kAdd: return each([](float* at, int, Vec v) __attribute__((always_inline)) { store(at, load(at) + v); });
    case TileStore::kScaleAdd:
      return each([=](float* at, int j, Vec v)
                      __attribute__((always_inline)) { store(at, mul_add(load(gamma + j * kLanes), v, load(at))); });
  }
}

using TileFunction = void (*)(const MatmulTile&, float*, int64_t) noexcept;

/// The function for `rows` rows and `vectors` vectors of columns.
template <int R = kTileRows, int J = kPanelVectors>
VIT_INLINE TileFunction tile_for(int rows, int64_t vectors) {
  if constexpr (R > 1)
    if (rows < R) return tile_for<R - 1, J>(rows, vectors);
  if constexpr (J > 1)
    if (vectors < J) return tile_for<R, J - 1>(rows, vectors);
  return tile_of<R, J>;
}

/// A tile whose last vector is cut: computed whole beside, then the columns that there are are copied.
VIT_INLINE void edge_tile(const MatmulTile& t) {
  alignas(64) float edge[kTileRows * kPanelColumns];
  const size_t bytes = static_cast<size_t>(t.columns) * sizeof(float);
  if (t.store != TileStore::kWrite)
    for (int i = 0; i < t.rows; ++i) memcpy(edge + i * kPanelColumns, t.y + i * t.y_stride, bytes);
  tile_for(t.rows, (t.columns + kLanes - 1) / kLanes)(t, edge, kPanelColumns);
  for (int i = 0; i < t.rows; ++i) memcpy(t.y + i * t.y_stride, edge + i * kPanelColumns, bytes);
}

/// y (+)= x W + bias for one tile, then act(y); see MatmulTile. The activation passes over the tile while it is in the
/// first-level cache: with the accumulators there are no registers left for it.
void matmul_tile(const MatmulTile& t) noexcept {
  assert(t.rows >= 1 && t.rows <= kTileRows && t.columns >= 1 && t.columns <= kPanelColumns);
  if (t.columns % kLanes == 0)
    tile_for(t.rows, t.columns / kLanes)(t, t.y, t.y_stride);
  else
    edge_tile(t);
  if (t.activation == Activation::kNone) return;
  with_activation(t.activation, [&](auto f) {
    for (float *y = t.y, *end = y + t.rows * t.y_stride; y != end; y += t.y_stride)
      map_row(
          y, t.columns, [&](auto at) __attribute__((always_inline)) { return f(at(y)); });
  });
}

}  // namespace
}  // namespace vit
