// SPDX-License-Identifier: Apache-2.0
// What each row of a ragged list of tokens is: its image, its kind and its place in the picture.
#pragma once

#include <cstdint>

namespace vit {

enum class TokenKind : uint8_t { kClass, kDistillation, kRegister, kPatch };

/// One row's entry. Cells are in pixels of the model's input; prefix tokens have none.
struct TokenInfo {
  int32_t image = 0;
  TokenKind kind = TokenKind::kPatch;
  int32_t y = 0, x = 0, height = 0, width = 0;
  float weight = 1;  ///< how many patches it stands for, after merging
};

}  // namespace vit
