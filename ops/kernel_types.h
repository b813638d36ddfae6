// SPDX-License-Identifier: Apache-2.0
// Arguments of kernels that have too many for a parameter list.
#pragma once

#include <cstdint>

#include "ops/activation.h"

namespace vit {

/// What becomes of v = x W + bias.
enum class TileStore {
  kWrite,    ///< y = v
  kAdd,      ///< y = y + v
  kScaleAdd  ///< y = y + gamma * v
};

/// One tile of a matrix product: `rows` rows of x against one packed panel of weights.
struct MatmulTile {
  const float* x = nullptr;  ///< [rows, k], rows x_stride apart
  int64_t x_stride = 0;
  const float* panel = nullptr;  ///< [k, KernelTable::panel_columns]
  const float* bias = nullptr;   ///< [panel_columns], or null
  const float* gamma = nullptr;  ///< [panel_columns], for kScaleAdd
  float* y = nullptr;            ///< [rows, columns], rows y_stride apart; not overlapping x
  int64_t y_stride = 0;
  int64_t k = 0;
  int rows = 0;     ///< 1 .. KernelTable::tile_rows
  int columns = 0;  ///< 1 .. panel_columns: what is stored; the panel is whole
  TileStore store = TileStore::kWrite;
  Activation activation = Activation::kNone;  ///< of y, once it is stored
  const float* prefetch = nullptr;  ///< bytes that will be needed soon, brought to the level-2 cache on the way; any address
  int64_t prefetch_lines = 0;       ///< of 64 bytes; what is more than k / 4 is left out
};

}  // namespace vit
