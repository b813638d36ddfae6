// SPDX-License-Identifier: Apache-2.0
// Products of narrow operands, on the tiles that this instruction set has.
#pragma once

#if defined(__AMX_TILE__)
#include "ops/kernels/amx-inl.h"
#endif
#include "ops/kernels/dot-inl.h"

namespace vit {
namespace {

#if defined(__AMX_TILE__)
void multiply_int8(const Product& p) noexcept { amx_product<Int8>(p); }
void multiply_bf16(const Product& p) noexcept { amx_product<BF16>(p); }
constexpr int kProductColumns = kAmxPanelColumns;
// AMX falls asleep while softmax works, and softmax's unit while AMX does: to wake one up takes a thousand cycles, so they take
// turns seldom.
constexpr int kAttentionRows = 8 * kAmxRows;
constexpr bool kHasAmx = true;
#else
void multiply_int8(const Product& p) noexcept { dot_product<Int8>(p); }
void multiply_bf16(const Product& p) noexcept { dot_product<BF16>(p); }
constexpr int kProductColumns = kPanelColumns;
constexpr int kAttentionRows = kDotRows;
constexpr bool kHasAmx = false;
#endif

#if defined(__AVX512BF16__)
constexpr bool kHasBF16 = true;
#else
constexpr bool kHasBF16 = false;
#endif

}  // namespace
}  // namespace vit
