// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "ops/core/file.h"

namespace vit {

/// What a file that is no safetensors file looks like by its first bytes, and what to do about it: "a Git-LFS pointer: the
/// weights were not downloaded (...)". Empty when nothing is recognised.
std::string recognise_other_format(Bytes file);
/// The same by the file's name, for formats that are not read: "a PyTorch checkpoint: ...". Empty for other names.
std::string recognise_other_name(std::string_view file_name);

}  // namespace vit
