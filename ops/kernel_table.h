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
  int lanes;          ///< floats in a vector
  int tile_rows;      ///< rows of a matrix tile
  int panel_columns;  ///< columns of a packed weight panel
#define VIT_KERNEL(name, ...) std::add_pointer_t<__VA_ARGS__> name;
#include "ops/kernel_list.inc"
#undef VIT_KERNEL
};

/// The table of an instruction set that usable_isas() has.
const KernelTable& kernels(Isa isa);

}  // namespace vit
