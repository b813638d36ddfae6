// SPDX-License-Identifier: Apache-2.0
// One check for each line of ops/kernel_list.inc: a listed kernel without one does not link.
#pragma once

#include "ops/kernel_table.h"
#include "tests/catch.h"

namespace vit {

#define VIT_KERNEL(name, ...) void check_##name(const KernelTable& kernels);
#include "ops/kernel_list.inc"
#undef VIT_KERNEL

/// |found - expected| <= bound, with both in the message.
#define CHECK_NEAR(found, expected, bound)                                                  \
  do {                                                                                      \
    const double found_ = (found), expected_ = (expected), bound_ = (bound);                \
    if (!(std::fabs(found_ - expected_) <= bound_))                                         \
      FAIL_CHECK("found " << found_ << ", expected " << expected_ << " within " << bound_); \
  } while (0)

constexpr double kEpsilon = 0x1p-24;  ///< half a unit in the last place of a float32 near 1

}  // namespace vit
