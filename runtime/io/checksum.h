// SPDX-License-Identifier: Apache-2.0
// CRC-32 as of zlib, gzip and PNG, of whole model files.
#pragma once

#include <cstdint>

#include "ops/core/file.h"

namespace vit {

/// Of large files by a few threads that end with the call.
uint32_t file_checksum(Bytes bytes);

}  // namespace vit
