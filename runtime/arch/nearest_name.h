// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vit {

/// Of `known` those that `name` may have been meant to be, nearest first, at most `most`, joined by " or ". Empty when none is
/// near.
std::string nearest_names(std::string_view name, const std::vector<std::string>& known, size_t most);

}  // namespace vit
