// SPDX-License-Identifier: Apache-2.0
// JSON as model files hold it: untrusted. Duplicate keys, deep nesting, NaN literals and invalid UTF-8 are errors.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace vit {

using Json = nlohmann::ordered_json;

constexpr int kMaxJsonDepth = 64;

/// Parses a whole text. `what` (a path) starts the sentence of the Error(kModel).
Json parse_json(std::string_view text, const std::string& what);

}  // namespace vit
