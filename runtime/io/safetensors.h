// SPDX-License-Identifier: Apache-2.0
// Reads the safetensors container. Every rule of the format is checked before a byte of a tensor is looked at.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ops/core/file.h"
#include "runtime/weights.h"

namespace vit {

/// What a file holds: the tensors in the order of their bytes, and the file's own strings.
struct Safetensors {
  std::vector<Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// `file`: the whole file, which must outlive the tensors. `path` names it in sentences. Throws Error(kModel).
Safetensors parse_safetensors(Bytes file, const std::string& path, uint64_t max_header_bytes);

}  // namespace vit
