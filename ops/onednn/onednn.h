// SPDX-License-Identifier: Apache-2.0
// The oneDNN library as a whole.
#pragma once

#include "ops/core/cpu.h"

namespace vit {

/// Of the library that was loaded, as "3.7.2".
const char* onednn_version();

/// Holds oneDNN to an instruction set. It decides once a process, with its first primitive: throws Error(kUnsupported) when that
/// was made with a wider one. sse2 means the least that oneDNN can be held to, SSE4.1.
void onednn_cap_isa(Isa isa);

}  // namespace vit
