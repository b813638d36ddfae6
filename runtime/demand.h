// SPDX-License-Identifier: Apache-2.0
// What of each value somebody needs: which nodes at all, how often, and which rows of each image.
#pragma once

#include <vector>

#include "runtime/graph.h"

namespace vit {

/// All rows.
constexpr int64_t kAllRows = -1;

struct NodeDemand {
  bool needed = false;
  bool kept = false;  ///< an output or a tap: its value must stand in a buffer
  int uses = 0;       ///< by needed nodes
  int64_t rows = 0;   ///< kAllRows, or the first so many rows of each image
};

/// `kept` are the nodes whose values are wanted; their rows are all needed.
std::vector<NodeDemand> demand_of(const Graph& graph, const std::vector<int>& kept);

/// Where a token kind first stands among the prefix tokens of an image; -1 when it does not.
int64_t prefix_index(const Graph& graph, TokenKind kind);

}  // namespace vit
