// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace vit {

struct Npy {
  std::vector<size_t> shape;
  std::vector<float> values;
};

/// A float32 file. Throws std::runtime_error when it is no such file.
Npy read_npy(const std::string& path);

}  // namespace vit
