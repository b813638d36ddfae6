// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph.h"

#include <algorithm>
#include <cassert>

#include "ops/core/checked.h"
#include "ops/core/error.h"

namespace vit {
namespace {

const char* domain_name(Domain domain) {
  switch (domain) {
    case Domain::kPixels: return "pixels";
    case Domain::kRows: return "token rows";
    case Domain::kImages: return "one vector an image";
  }
  return "?";
}

void require_domain(const Node& x, Domain domain, const std::string& name) {
  VIT_CHECK(x.domain == domain, Code::kModel, name, ": expected ", domain_name(domain), " as input, '", x.name, "' is ",
            domain_name(x.domain));
}

void require_tokens_or_vectors(const Node& x, const std::string& name) {
  VIT_CHECK(x.domain != Domain::kPixels, Code::kModel, name, ": expected token rows or one vector an image as input, '", x.name,
            "' is pixels");
}

void require_shape(const Tensor& tensor, const Shape& expected, const std::string& name) {
  VIT_CHECK(tensor.shape == expected, Code::kModel, name, ": expected ", tensor.name.empty() ? "a tensor" : tensor.name,
            " of shape ", expected, ", it is ", tensor.shape);
}

void require_epsilon(float eps, const std::string& name) {
  VIT_CHECK(eps >= 0 && eps < 1, Code::kModel, name, ": expected an epsilon in [0, 1), got ", eps);
}

/// Rows of a table seen as [rows, C]; its last axis must be C.
int64_t rows_of(const Tensor& table, int64_t channels, const std::string& name) {
  VIT_CHECK(table.shape.rank() >= 1 && table.shape[-1] == channels, Code::kModel, name, ": expected ", table.name, " with ",
            channels, " channels in its last axis, its shape is ", table.shape);
  return table.shape.elements() / channels;
}

void require_row(const Tensor& table, int64_t row, int64_t channels, const std::string& name) {
  const int64_t rows = rows_of(table, channels, name);
  VIT_CHECK(row >= 0 && row < rows, Code::kModel, name, ": row ", row, " of ", table.name, " does not exist, its shape is ",
            table.shape);
}

/// The sum of the parts' rows; every part is [out_i, in...] with its own bias or none.
int64_t checked_outputs(const LinearWeights& w, int64_t in, const std::string& name) {
  VIT_CHECK(!w.weight.empty() && w.bias.size() == w.weight.size(), Code::kModel, name,
            ": expected one bias (it may be empty) for each weight, got ", w.weight.size(), " weights and ", w.bias.size(),
            " biases");
  VIT_CHECK(w.in == in, Code::kModel, name, ": the input has ", in, " channels, the weights read ", w.in);
  int64_t out = 0;
  for (size_t i = 0; i < w.weight.size(); ++i) {
    VIT_CHECK(w.weight[i].shape.rank() >= 2 && w.weight[i].shape[0] > 0, Code::kModel, name, ": expected a matrix, ",
              w.weight[i].name, " is ", w.weight[i].shape);
    if (w.bias[i]) require_shape(w.bias[i], Shape{w.weight[i].shape[0]}, name);
    out += w.weight[i].shape[0];
  }
  VIT_CHECK(w.out == out, Code::kModel, name, ": expected weights with ", w.out, " rows, they have ", out);
  return out;
}

Node make_node(NodeKind kind, std::string name, std::vector<int> inputs, Domain domain, int64_t channels) {
  Node node;
  node.kind = kind;
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.domain = domain;
  node.channels = channels;
  return node;
}

}  // namespace

const char* node_kind_name(NodeKind kind) {
  switch (kind) {
    case NodeKind::kPixels: return "pixels";
    case NodeKind::kPatchEmbed: return "patch_embed";
    case NodeKind::kAddPositions: return "add_positions";
    case NodeKind::kPrependTokens: return "prepend_tokens";
    case NodeKind::kLayerNorm: return "layer_norm";
    case NodeKind::kRmsNorm: return "rms_norm";
    case NodeKind::kHeadNorm: return "head_norm";
    case NodeKind::kLinear: return "linear";
    case NodeKind::kActivation: return "activation";
    case NodeKind::kGatedActivation: return "gated_activation";
    case NodeKind::kAttention: return "attention";
    case NodeKind::kScale: return "scale";
    case NodeKind::kMultiply: return "multiply";
    case NodeKind::kAdd: return "add";
    case NodeKind::kSelectRow: return "select_row";
    case NodeKind::kMeanRows: return "mean_rows";
    case NodeKind::kMaxRows: return "max_rows";
    case NodeKind::kAttentionPool: return "attention_pool";
    case NodeKind::kConcat: return "concat";
  }
  return "?";
}

const char* token_kind_name(TokenKind kind) {
  switch (kind) {
    case TokenKind::kClass: return "class";
    case TokenKind::kDistillation: return "distillation";
    case TokenKind::kRegister: return "register";
    case TokenKind::kPatch: return "patch";
  }
  return "?";
}

const char* output_name(Output which) {
  switch (which) {
    case Output::kLogits: return "logits";
    case Output::kFeatures: return "features";
    case Output::kEmbedding: return "embedding";
  }
  return "?";
}

Value Graph::append(Node node) {
  VIT_CHECK(!node.name.empty(), Code::kModel, "a node of kind ", node_kind_name(node.kind), " has no name");
  VIT_CHECK(node.channels > 0, Code::kModel, node.name, ": expected at least one channel, got ", node.channels);
  const int id = static_cast<int>(nodes_.size());
  assert(std::all_of(node.inputs.begin(), node.inputs.end(), [&](int input) { return input >= 0 && input < id; }));
  VIT_CHECK(names_.emplace(node.name, id).second, Code::kModel, node.name, ": two nodes of the graph have this name");
  nodes_.push_back(std::move(node));
  return Value{id};
}

int Graph::find(const std::string& name) const {
  if (const auto it = names_.find(name); it != names_.end()) return it->second;
  for (int i = 0; i < kOutputs; ++i)
    if (name == output_name(static_cast<Output>(i))) return outputs_[i];
  return -1;
}

bool Graph::has_rows_of(int id, TokenKind kind) const {
  for (; id >= 0; id = nodes_[static_cast<size_t>(id)].inputs.empty() ? -1 : nodes_[static_cast<size_t>(id)].inputs[0]) {
    const Node& node = nodes_[static_cast<size_t>(id)];
    if (node.kind == NodeKind::kPatchEmbed) return kind == TokenKind::kPatch;
    for (const PrefixToken& token : node.prefix)
      if (token.kind == kind) return true;
  }
  return false;
}

Value Graph::pixels(int64_t channels) { return append(make_node(NodeKind::kPixels, "pixels", {}, Domain::kPixels, channels)); }

Value Graph::patch_embed(Value images, LinearWeights conv, int64_t patch_height, int64_t patch_width, std::string name) {
  const Node& x = node(images);
  require_domain(x, Domain::kPixels, name);
  VIT_CHECK(patch_height > 0 && patch_width > 0, Code::kModel, name, ": expected a patch of at least 1 x 1 pixels, got ",
            patch_height, " x ", patch_width);
  VIT_CHECK(conv.weight.size() == 1 && conv.weight[0].shape.rank() == 4, Code::kModel, name,
            ": expected one weight of four axes");
  require_shape(conv.weight[0], Shape{conv.weight[0].shape[0], x.channels, patch_height, patch_width}, name);
  const int64_t out = checked_outputs(conv, x.channels * patch_height * patch_width, name);
  Node n = make_node(NodeKind::kPatchEmbed, std::move(name), {images.id}, Domain::kRows, out);
  n.linear = std::move(conv);
  n.patch_height = patch_height;
  n.patch_width = patch_width;
  return append(std::move(n));
}

Value Graph::add_positions(Value patches, PositionWeights positions, std::string name) {
  const Node& x = node(patches);
  require_domain(x, Domain::kRows, name);
  const int64_t rows = rows_of(positions.table, x.channels, name);
  uint64_t cells = 0, end = 0;
  const bool fits = positions.grid_height > 0 && positions.grid_width > 0 && positions.first_row >= 0 &&
                    mul_ok(static_cast<uint64_t>(positions.grid_height), static_cast<uint64_t>(positions.grid_width), &cells) &&
                    add_ok(cells, static_cast<uint64_t>(positions.first_row), &end) && end <= static_cast<uint64_t>(rows);
  VIT_CHECK(fits, Code::kModel, name, ": ", positions.table.name, " of shape ", positions.table.shape, " cannot hold a grid of ",
            positions.grid_height, " x ", positions.grid_width, " from row ", positions.first_row);
  Node n = make_node(NodeKind::kAddPositions, std::move(name), {patches.id}, Domain::kRows, x.channels);
  n.positions = std::move(positions);
  return append(std::move(n));
}

Value Graph::prepend_tokens(Value patches, std::vector<PrefixToken> tokens, std::string name) {
  const Node& x = node(patches);
  require_domain(x, Domain::kRows, name);
  for (const PrefixToken& token : tokens) {
    VIT_CHECK(token.kind != TokenKind::kPatch, Code::kModel, name, ": a patch cannot be a prefix token");
    require_row(token.value, token.value_row, x.channels, name);
    if (token.position) require_row(token.position, token.position_row, x.channels, name);
  }
  Node n = make_node(NodeKind::kPrependTokens, std::move(name), {patches.id}, Domain::kRows, x.channels);
  n.prefix = std::move(tokens);
  return append(std::move(n));
}

Value Graph::layer_norm(Value x, NormWeights norm, float eps, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  require_shape(norm.gamma, Shape{in.channels}, name);
  require_shape(norm.beta, Shape{in.channels}, name);
  require_epsilon(eps, name);
  Node n = make_node(NodeKind::kLayerNorm, std::move(name), {x.id}, in.domain, in.channels);
  n.norm = std::move(norm);
  n.eps = eps;
  return append(std::move(n));
}

Value Graph::rms_norm(Value x, Tensor gamma, float eps, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  require_shape(gamma, Shape{in.channels}, name);
  require_epsilon(eps, name);
  Node n = make_node(NodeKind::kRmsNorm, std::move(name), {x.id}, in.domain, in.channels);
  n.norm.gamma = std::move(gamma);
  n.eps = eps;
  return append(std::move(n));
}

Value Graph::head_norm(Value x, std::vector<HeadNorm> parts, float eps, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  require_epsilon(eps, name);
  int64_t free_from = 0;
  for (const HeadNorm& part : parts) {
    VIT_CHECK(part.norm.gamma.shape.rank() == 1, Code::kModel, name, ": expected ", part.norm.gamma.name,
              " with one axis, its shape is ", part.norm.gamma.shape);
    const int64_t dim = part.norm.gamma.shape[0];
    if (part.norm.beta) require_shape(part.norm.beta, Shape{dim}, name);
    VIT_CHECK(part.first >= free_from && part.heads > 0 && part.heads <= (in.channels - part.first) / dim, Code::kModel, name,
              ": ", part.heads, " heads of ", dim, " from column ", part.first, " do not fit '", in.name, "' of ", in.channels,
              " channels");
    free_from = part.first + part.heads * dim;
  }
  Node n = make_node(NodeKind::kHeadNorm, std::move(name), {x.id}, in.domain, in.channels);
  n.heads = std::move(parts);
  n.eps = eps;
  return append(std::move(n));
}

Value Graph::linear(Value x, LinearWeights weights, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  const int64_t out = checked_outputs(weights, in.channels, name);
  for (const Tensor& w : weights.weight) require_shape(w, Shape{w.shape[0], in.channels}, name);
  Node n = make_node(NodeKind::kLinear, std::move(name), {x.id}, in.domain, out);
  n.linear = std::move(weights);
  return append(std::move(n));
}

Value Graph::activation(Value x, Activation kind, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  Node n = make_node(NodeKind::kActivation, std::move(name), {x.id}, in.domain, in.channels);
  n.activation = kind;
  return append(std::move(n));
}

Value Graph::gated_activation(Value x, Activation kind, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  VIT_CHECK(in.channels % 2 == 0, Code::kModel, name, ": expected an even number of channels (gate and value), got ",
            in.channels);
  Node n = make_node(NodeKind::kGatedActivation, std::move(name), {x.id}, in.domain, in.channels / 2);
  n.activation = kind;
  return append(std::move(n));
}

Value Graph::attention(Value qkv, int num_heads, std::string name) {
  const Node& in = node(qkv);
  require_domain(in, Domain::kRows, name);
  VIT_CHECK(num_heads > 0 && in.channels % 3 == 0 && in.channels / 3 % num_heads == 0, Code::kModel, name,
            ": expected 3 x heads x head size channels for ", num_heads, " heads, got ", in.channels);
  Node n = make_node(NodeKind::kAttention, std::move(name), {qkv.id}, Domain::kRows, in.channels / 3);
  n.num_heads = num_heads;
  return append(std::move(n));
}

Value Graph::scale(Value x, Tensor gamma, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  require_shape(gamma, Shape{in.channels}, name);
  Node n = make_node(NodeKind::kScale, std::move(name), {x.id}, in.domain, in.channels);
  n.scale = std::move(gamma);
  return append(std::move(n));
}

Value Graph::multiply(Value x, float factor, std::string name) {
  const Node& in = node(x);
  require_tokens_or_vectors(in, name);
  Node n = make_node(NodeKind::kMultiply, std::move(name), {x.id}, in.domain, in.channels);
  n.factor = factor;
  return append(std::move(n));
}

Value Graph::add(Value a, Value b, std::string name) {
  const Node &x = node(a), &y = node(b);
  require_tokens_or_vectors(x, name);
  require_domain(y, x.domain, name);
  VIT_CHECK(x.channels == y.channels, Code::kModel, name, ": expected two inputs of equal width, '", x.name, "' has ", x.channels,
            " channels and '", y.name, "' ", y.channels);
  return append(make_node(NodeKind::kAdd, std::move(name), {a.id, b.id}, x.domain, x.channels));
}

Value Graph::select_row(Value x, TokenKind kind, std::string name) {
  return append(pool_node(NodeKind::kSelectRow, x, kind, std::move(name)));
}

Node Graph::pool_node(NodeKind kind, Value x, PooledRows rows, std::string name) const {
  const Node& in = node(x);
  require_domain(in, Domain::kRows, name);
  if (rows)
    VIT_CHECK(has_rows_of(x.id, *rows), Code::kModel, name, ": '", in.name, "' has no ", token_kind_name(*rows), " token");
  Node n = make_node(kind, std::move(name), {x.id}, Domain::kImages, in.channels);
  n.row_kind = rows;
  return n;
}

Value Graph::mean_rows(Value x, PooledRows rows, std::string name) {
  return append(pool_node(NodeKind::kMeanRows, x, rows, std::move(name)));
}

Value Graph::max_rows(Value x, PooledRows rows, std::string name) {
  return append(pool_node(NodeKind::kMaxRows, x, rows, std::move(name)));
}

Value Graph::attention_pool(Value kv, LatentQuery query, int num_heads, PooledRows rows, std::string name) {
  const int64_t channels = node(kv).channels / 2;
  VIT_CHECK(num_heads > 0 && node(kv).channels == 2 * channels && channels % num_heads == 0, Code::kModel, name,
            ": expected 2 x heads x head size channels for ", num_heads, " heads, got ", node(kv).channels);
  require_row(query.latent, 0, query.linear.in, name);
  const int64_t out = checked_outputs(query.linear, query.linear.in, name);
  VIT_CHECK(out == channels, Code::kModel, name, ": expected a query of ", channels, " channels, got ", out);
  Node n = pool_node(NodeKind::kAttentionPool, kv, rows, std::move(name));
  n.channels = channels;
  n.num_heads = num_heads;
  n.query = std::move(query);
  return append(std::move(n));
}

Value Graph::concat(Value a, Value b, std::string name) {
  const Node &x = node(a), &y = node(b);
  require_tokens_or_vectors(x, name);
  require_domain(y, x.domain, name);
  return append(make_node(NodeKind::kConcat, std::move(name), {a.id, b.id}, x.domain, x.channels + y.channels));
}

}  // namespace vit
