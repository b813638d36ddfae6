// SPDX-License-Identifier: Apache-2.0
// Names of labels that the library itself knows, for models that come without names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vit {

/// The names of the ImageNet list that has `count` labels, in the order of the logits: 1000 (ImageNet-1k), 11221 (21k-P), 11821
/// (12k), 21841 (22k), 21842 (22k, Microsoft's order) or 21843 (21k, Google's). Empty for any other count. Thread-safe.
std::vector<std::string> builtin_labels(int64_t count);

}  // namespace vit
