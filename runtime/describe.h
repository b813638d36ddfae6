// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "runtime/executor.h"

namespace vit {

/// A plan in JSON: instruction set, threads, precision and what differs from it, barriers, memory, and each step with its
/// implementation.
std::string describe_plan(const Plan& plan, const Executor::Memory& memory, int threads, const std::string& isa);

}  // namespace vit
