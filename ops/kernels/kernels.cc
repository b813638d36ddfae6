// SPDX-License-Identifier: Apache-2.0
// Built once per instruction set; lets one symbol out, the table.
#include "ops/kernel_table.h"
#include "ops/kernels/activation-inl.h"
#include "ops/kernels/layout-inl.h"
#include "ops/kernels/matmul-inl.h"
#include "ops/kernels/product-inl.h"
#include "ops/kernels/resize-inl.h"
#include "ops/kernels/row-inl.h"

#define VIT_STRING_OF(x) #x
#define VIT_STRING(x) VIT_STRING_OF(x)
#define VIT_JOIN_OF(a, b) a##b
#define VIT_JOIN(a, b) VIT_JOIN_OF(a, b)

namespace vit {

extern const KernelTable VIT_JOIN(kernels_, VIT_ISA_NAME);
const KernelTable VIT_JOIN(kernels_, VIT_ISA_NAME) = {
    VIT_STRING(VIT_ISA_NAME), static_cast<int>(kLanes), kTileRows, kPanelColumns, kDepthBlock,
    kProductColumns,          kAttentionRows,           kLevels,   kHasAmx,       kHasBF16,
#define VIT_KERNEL(name, ...) name,
#include "ops/kernel_list.inc"
#undef VIT_KERNEL
};

}  // namespace vit
