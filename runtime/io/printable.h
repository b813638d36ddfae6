// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace vit {

/// Text from a file as a sentence may show it: valid UTF-8 without control characters (those and stray bytes stand as \xNN, C1
/// controls as \u00NN), cut with "..." after about `longest` bytes.
std::string printable(std::string_view text, size_t longest = 200);

}  // namespace vit
