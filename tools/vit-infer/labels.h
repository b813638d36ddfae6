// SPDX-License-Identifier: Apache-2.0
// --labels: names of classes out of a file.
#pragma once

#include <string>
#include <vector>

namespace vit::tool {

/// A label a line, a JSON list of strings, or a JSON object of them by index. At most 16 MiB. Throws Failure(kUsage), with both
/// numbers where there are not exactly `count`.
std::vector<std::string> read_labels(const std::string& path, size_t count);

}  // namespace vit::tool
