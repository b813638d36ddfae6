// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace vit {

/// A text cut before each byte, and with each byte taken away, doubled, or replaced by each of `characters`.
template <class Try>
void each_byte_wrong(const std::string& text, const std::string& characters, Try attempt) {
  for (size_t at = 0; at < text.size(); ++at) {
    attempt(text.substr(0, at));
    attempt(std::string(text).erase(at, 1));
    attempt(std::string(text).insert(at, 1, text[at]));
    for (const char c : characters) attempt(std::string(text).replace(at, 1, 1, c));
  }
}

}  // namespace vit
