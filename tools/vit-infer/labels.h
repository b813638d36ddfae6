// SPDX-License-Identifier: Apache-2.0
// --labels: names of classes out of a file; and whether a model has any for a picture.
#pragma once

#include <string>
#include <vector>

#include "tools/common/engine.h"

namespace vit::tool {

/// A label a line, a JSON list of strings, or a JSON object of them by index. At most 16 MiB. Throws Failure(kUsage), with both
/// numbers where there are not exactly `count`.
std::vector<std::string> read_labels(const std::string& path, size_t count);

/// Throws Failure(kUsage) where the model has a classifier that answers for each token, not for a picture.
void require_labels_of_pictures(const Arguments& arguments, const Session& session);

}  // namespace vit::tool
