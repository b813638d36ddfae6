// SPDX-License-Identifier: Apache-2.0
#include "runtime/weight_rows.h"

#include <algorithm>

namespace vit {

WeightRows::WeightRows(const Model& model) : model_(model) {
  for (const Node& node : model.graph().nodes()) {
    int64_t row = 0;
    for (const Tensor& part : node.linear.weight) {
      add(part, is_token_layer(node) ? &node : nullptr, row);
      row += part.shape[0];
    }
    for (const Tensor& part : node.query.linear.weight) add(part, nullptr, 0);
  }
  while (drop_one()) {
  }
}

const std::vector<SharedRows>* WeightRows::rows_of(const Tensor& tensor) const {
  const auto found = rows_.find(&tensor);
  return found == rows_.end() ? nullptr : &found->second;
}

/// The tensor of the source that `view` shows a part of, and from which row.
std::pair<const Tensor*, int64_t> WeightRows::origin(const Tensor& view) const {
  for (const auto& [name, tensor] : model_.weights().tensors()) {
    const int64_t in = view.shape.rank() == 2 ? view.shape[1] : 0;
    if (tensor.reader != nullptr && tensor.reader == view.reader) return {&tensor, in == 0 ? 0 : view.reader_first / in};
    const uint8_t* const from = view.bytes.data();
    if (view.bytes.empty() || from < tensor.bytes.data() || from >= tensor.bytes.data() + tensor.bytes.size()) continue;
    const int64_t row_bytes = view.shape[0] == 0 ? 1 : static_cast<int64_t>(view.bytes.size()) / view.shape[0];
    return {&tensor, (from - tensor.bytes.data()) / row_bytes};
  }
  return {nullptr, 0};
}

void WeightRows::add(const Tensor& view, const Node* node, int64_t node_row) {
  const auto [tensor, row] = origin(view);
  if (tensor == nullptr || node == nullptr || view.shape.rank() != 2 || tensor->shape.rank() != 2) {
    if (tensor != nullptr) others_.insert(tensor);
    if (node != nullptr) refused_.insert(node);
    return;
  }
  if (refused_.count(node) == 0) nodes_.insert(node);
  rows_[tensor].push_back({node, node_row, row, view.shape[0]});
}

/// A tensor that is used elsewhere, or not covered, stays as it is, and so do all that its layers use.
bool WeightRows::drop_one() {
  for (auto it = rows_.begin(); it != rows_.end(); ++it) {
    std::vector<SharedRows>& rows = it->second;
    std::sort(rows.begin(), rows.end(), [](const SharedRows& a, const SharedRows& b) { return a.tensor_row < b.tensor_row; });
    int64_t next = 0;
    bool good = others_.count(it->first) == 0;
    for (const SharedRows& part : rows) {
      good = good && part.tensor_row == next && refused_.count(part.node) == 0;
      next += part.count;
    }
    if (good && next == it->first->shape[0]) continue;
    for (const SharedRows& part : rows) refused_.insert(part.node), nodes_.erase(part.node);
    rows_.erase(it);
    return true;
  }
  return false;
}

}  // namespace vit
