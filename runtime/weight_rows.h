// SPDX-License-Identifier: Apache-2.0
// Which tensors of a model are nothing but rows of linear layers, so that a file may have them as the layers' packed weights.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "runtime/model.h"

namespace vit {

/// Whether a node is a layer over tokens, which precisions are about.
inline bool is_token_layer(const Node& node) { return node.kind == NodeKind::kLinear && node.domain == Domain::kRows; }

/// Rows of a linear layer's weight that are rows of a tensor of the source.
struct SharedRows {
  const Node* node;
  int64_t node_row, tensor_row, count;
};

class WeightRows {
 public:
  explicit WeightRows(const Model& model);

  /// Whether a layer's weights are whole tensors that nobody but such layers uses.
  bool packable(const Node& node) const { return nodes_.count(&node) != 0; }
  /// Of a tensor that those layers have between them; null for any other.
  const std::vector<SharedRows>* rows_of(const Tensor& tensor) const;

 private:
  std::pair<const Tensor*, int64_t> origin(const Tensor& view) const;
  void add(const Tensor& view, const Node* node, int64_t node_row);
  bool drop_one();

  const Model& model_;
  std::map<const Tensor*, std::vector<SharedRows>> rows_;
  std::set<const Tensor*> others_;
  std::set<const Node*> nodes_, refused_;
};

}  // namespace vit
