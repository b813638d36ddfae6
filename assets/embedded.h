// SPDX-License-Identifier: Apache-2.0
// The demonstration model inside the program: the files of assets/models/vit-cifar10, to be opened from memory.
#pragma once

#include <cstdint>
#include <span>

namespace vit {

struct EmbeddedFile {
  const char* name;  ///< as in the model's folder
  std::span<const uint8_t> bytes;
};

/// What the model is called in messages.
inline constexpr const char* kEmbeddedModelName = "vit-cifar10";
/// Its files. The bytes live as long as the program; each file starts at a multiple of 64 bytes.
std::span<const EmbeddedFile> embedded_model();

}  // namespace vit
