// SPDX-License-Identifier: Apache-2.0
// Arguments of kernels that have too many for a parameter list.
#pragma once

#include <cstdint>

#include "ops/activation.h"
#include "quant/precision.h"

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
  const float* sums = nullptr;   ///< [rows, panel_columns], rows adjacent: what the sums start from instead of `bias`; or null
  const float* gamma = nullptr;  ///< [panel_columns], for kScaleAdd
  float* y = nullptr;            ///< [rows, columns], rows y_stride apart; not overlapping x
  int64_t y_stride = 0;
  int64_t k = 0;
  int rows = 0;     ///< 1 .. KernelTable::tile_rows
  int columns = 0;  ///< 1 .. panel_columns: what is stored; the panel is whole
  TileStore store = TileStore::kWrite;
  Activation activation = Activation::kNone;  ///< of y, once it is stored
  const void* prefetch = nullptr;  ///< bytes that will be needed soon, brought to the level-2 cache on the way; any address
  int64_t prefetch_lines = 0;      ///< of 64 bytes; what is more than k / 4 is left out
};

/// What becomes of a product's results.
enum class ProductStore {
  kWrite,    ///< y = act(v), float32
  kBF16,     ///< y = act(v), bfloat16
  kAdd,      ///< y = y + v, float32
  kScaleAdd  ///< y = y + gamma * v, float32
};

/// Rows of narrow operands (quant/precision.h) against packed panels of weights: v = x W + bias. How many rows make a tile is the
/// kernel's affair. Sums of 8-bit products are exact, on every CPU; a row's bits do not depend on the rows beside it.
struct Product {
  const void* x = nullptr;              ///< [rows] of `steps` * 4 bytes
  int64_t x_stride = 0;                 ///< bytes
  const void* panels = nullptr;         ///< [columns / product_columns, rounded up][steps][product_columns][4 bytes]
  const float* bias = nullptr;          ///< [columns], padded to whole panels, like the next three; or null for bfloat16
  const float* weight_scale = nullptr;  ///< for 8-bit operands; each row's RowScale stands behind its numbers
  const float* column_sum = nullptr;    ///< likewise
  const float* gamma = nullptr;         ///< for kScaleAdd
  const float* row_factor = nullptr;    ///< [rows]: v is multiplied by it; or null. Not for 8-bit operands
  void* y = nullptr;                    ///< [rows, columns]
  int64_t y_stride = 0;                 ///< elements
  int64_t steps = 0;                    ///< of a panel, a multiple of 16
  int64_t used_steps = 0;               ///< what lies behind these is zero, in rows and panels, and may be left out; 0: `steps`
  int64_t rows = 0, columns = 0;        ///< at least 1
  bool more = false;                    ///< whether the panel behind these is next: it is brought to the level-2 cache
  ProductStore store = ProductStore::kWrite;
  Activation activation = Activation::kNone;  ///< not with kAdd and kScaleAdd
};

/// Rows of float32 that are made in scratch at a time on their way to operands: at least as many as a row kernel takes side by
/// side.
constexpr int64_t kOperandRows = 4;

/// Independent chains of multiply_add_chains: more than the latency of a multiply-add times the units that a core has for it (8
/// on x86-64, up to 16 on Arm servers, which then are not quite filled), and as many as fit into 16 registers beside the
/// operands.
constexpr int kMultiplyAddChains = 12;

}  // namespace vit
