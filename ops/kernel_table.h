// SPDX-License-Identifier: Apache-2.0
// Kernels of one instruction set, as pointers. kernel_list.inc is the list; ops/kernels/kernels.cc is built once per set.
#pragma once

#include <cstdint>
#include <type_traits>

#include "ops/core/cpu.h"
#include "ops/kernel_types.h"

namespace vit {

struct KernelTable {
  const char* isa;
  int lanes;            ///< floats in a vector
  int tile_rows;        ///< rows of a matrix tile
  int panel_columns;    ///< columns of a panel of float32 weights
  int depth_block;      ///< numbers of a row that tiles of float32 best multiply at a time
  int product_columns;  ///< columns of a panel of narrow weights
  int attention_rows;   ///< rows that attention in bfloat16 best takes at a time
  int levels;           ///< greatest 8-bit activation: 255, or 127 where sums of pairs would not fit otherwise
  bool has_amx;         ///< whether narrow products are made in AMX's tiles
  bool has_bf16;        ///< whether the CPU multiplies bfloat16; else multiply_bf16 does it in float32
#define VIT_KERNEL(name, ...) std::add_pointer_t<__VA_ARGS__> name;
#include "ops/kernel_list.inc"
#undef VIT_KERNEL

  /// Columns of a panel of weights.
  int panel(Precision precision) const { return precision == Precision::kF32 ? panel_columns : product_columns; }
};

/// The table of an instruction set that usable_isas() has.
const KernelTable& kernels(Isa isa);

}  // namespace vit
