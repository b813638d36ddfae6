// SPDX-License-Identifier: Apache-2.0
#include "runtime/demand.h"

#include <algorithm>

namespace vit {

int64_t prefix_index(const Graph& graph, TokenKind kind) {
  for (const Node& node : graph.nodes())
    for (size_t i = 0; i < node.prefix.size(); ++i)
      if (node.prefix[i].kind == kind) return static_cast<int64_t>(i);
  return -1;
}

std::vector<NodeDemand> demand_of(const Graph& graph, const std::vector<int>& kept) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<NodeDemand> demand(nodes.size());
  const auto widen = [&](int id, int64_t rows) {
    int64_t& known = demand[static_cast<size_t>(id)].rows;
    known = known == kAllRows || rows == kAllRows ? kAllRows : std::max(known, rows);
  };
  for (const int id : kept) {
    demand[static_cast<size_t>(id)].needed = demand[static_cast<size_t>(id)].kept = true;
    widen(id, kAllRows);
  }
  for (size_t i = nodes.size(); i-- > 0;) {
    if (!demand[i].needed) continue;
    for (const int input : nodes[i].inputs) {
      NodeDemand& d = demand[static_cast<size_t>(input)];
      d.needed = true;
      ++d.uses;
      switch (nodes[i].kind) {
        case NodeKind::kSelectRow: {
          const int64_t index = prefix_index(graph, *nodes[i].row_kind);
          widen(input, index < 0 ? kAllRows : index + 1);
          break;
        }
        case NodeKind::kAttention:  // keys and values of every row
        case NodeKind::kMeanRows:
        case NodeKind::kMaxRows:
        case NodeKind::kAttentionPool: widen(input, kAllRows); break;
        default: widen(input, demand[i].rows);
      }
    }
  }
  return demand;
}

}  // namespace vit
