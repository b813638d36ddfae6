// SPDX-License-Identifier: Apache-2.0
// Hand-written safetensors files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vit {

/// A file of this header and this data: the length is right, all else is as it is given.
inline std::string safetensors_file(std::string_view header, std::string_view data = "") {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<uint64_t>(header.size()) >> 8 * i & 255);
  return file.append(header).append(data);
}

inline std::string zeros(size_t bytes) { return std::string(bytes, '\0'); }

}  // namespace vit
