// SPDX-License-Identifier: Apache-2.0
// The single description of a model: what is computed, in the paper's terms. Fusion, layout and threads are the plan's business.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ops/activation.h"
#include "ops/positions.h"
#include "ops/token_map.h"
#include "runtime/weights.h"

namespace vit {

/// What the leading axis of a value counts.
enum class Domain {
  kPixels,  ///< the images themselves
  kRows,    ///< tokens of all images, one after the other: [rows, C]
  kImages   ///< one vector an image: [images, C]
};

enum class NodeKind {
  kPixels,
  kPatchEmbed,
  kAddPositions,
  kPrependTokens,
  kLayerNorm,
  kRmsNorm,
  kHeadNorm,
  kLinear,
  kActivation,
  kGatedActivation,
  kAttention,
  kScale,
  kMultiply,
  kAdd,
  kSelectRow,
  kMeanRows,
  kMaxRows,
  kAttentionPool,
  kConcat
};

const char* node_kind_name(NodeKind kind);
const char* token_kind_name(TokenKind kind);

/// y = x Wᵀ + b. The parts of a fused layer (q, k, v) are stacked by rows; a part without bias has an empty bias tensor.
struct LinearWeights {
  std::vector<Tensor> weight;  ///< each [out_i, in]
  std::vector<Tensor> bias;    ///< each [out_i] or empty
  int64_t in = 0, out = 0;
};

struct NormWeights {
  Tensor gamma, beta;  ///< [C]; RMSNorm has no beta
};

/// Heads of a wide row that are normalised each by itself: columns [first, first + heads * D), D = channels of gamma.
struct HeadNorm {
  int64_t first = 0, heads = 0;
  NormWeights norm;  ///< [D]; without beta it is an RMSNorm
};

/// The one query of an attention pool: q = latent Wᵀ + b, the same for every image.
struct LatentQuery {
  Tensor latent;  ///< [..., C]
  LinearWeights linear;
};

/// Rows that a pool reads: of one kind, or all of them.
using PooledRows = std::optional<TokenKind>;

/// A token that every image gets in front of its patches: value [C], with a row of the position table added when there is one.
struct PrefixToken {
  TokenKind kind = TokenKind::kClass;
  Tensor value;           ///< [..., C]
  int64_t value_row = 0;  ///< row of `value` seen as [rows, C]
  Tensor position;        ///< [..., C] or empty
  int64_t position_row = 0;
};

/// Learned positions of the patches: rows [first_row, first_row + grid_height * grid_width) of `table` seen as [rows, C].
struct PositionWeights {
  Tensor table;
  int64_t first_row = 0;
  int64_t grid_height = 0, grid_width = 0;
  PositionRule rule;
};

struct Value {
  int id = -1;
};

struct Node {
  NodeKind kind = NodeKind::kPixels;
  std::string name;  ///< unique; for taps, profiles and error messages
  std::vector<int> inputs;
  Domain domain = Domain::kRows;
  int64_t channels = 0;

  LinearWeights linear;                       // kPatchEmbed (weight [C, channels, P, P] as one part), kLinear
  NormWeights norm;                           // kLayerNorm, kRmsNorm
  std::vector<HeadNorm> heads;                // kHeadNorm
  float eps = 0;                              // kLayerNorm, kRmsNorm, kHeadNorm
  Tensor scale;                               // kScale, [C]
  Activation activation = Activation::kNone;  // kActivation, kGatedActivation
  float factor = 1;                           // kMultiply
  int num_heads = 0;                          // kAttention, kAttentionPool
  LatentQuery query;                          // kAttentionPool
  int64_t patch_height = 0, patch_width = 0;  // kPatchEmbed
  PositionWeights positions;                  // kAddPositions
  std::vector<PrefixToken> prefix;            // kPrependTokens
  PooledRows row_kind;                        // kSelectRow, kMeanRows, kMaxRows, kAttentionPool
};

enum class Output { kLogits, kFeatures, kEmbedding };
constexpr int kOutputs = 3;
const char* output_name(Output which);

/// Nodes in an order in which each comes after its inputs. Every function checks shapes and throws Error(kModel).
class Graph {
 public:
  /// The input: images of `channels` channels.
  Value pixels(int64_t channels);
  /// One row a patch, row-major over the grid: the convolution whose stride is its kernel. weight: [C, channels, P, P].
  Value patch_embed(Value images, LinearWeights conv, int64_t patch_height, int64_t patch_width, std::string name);
  /// Adds each patch's position, interpolated when the grid is another one.
  Value add_positions(Value patches, PositionWeights positions, std::string name);
  /// Puts tokens, or none, in front of each image's rows. Every model has this node: its value is what the first block reads.
  Value prepend_tokens(Value patches, std::vector<PrefixToken> tokens, std::string name);
  Value layer_norm(Value x, NormWeights norm, float eps, std::string name);
  /// x / sqrt(mean(x²) + eps) * gamma (Zhang and Sennrich 2019).
  Value rms_norm(Value x, Tensor gamma, float eps, std::string name);
  /// Normalises heads of a row each by itself; columns of no part stay as they are. Parts do not overlap.
  Value head_norm(Value x, std::vector<HeadNorm> parts, float eps, std::string name);
  Value linear(Value x, LinearWeights weights, std::string name);
  Value activation(Value x, Activation kind, std::string name);
  /// act(first half of the channels) * second half (SwiGLU: Shazeer 2020).
  Value gated_activation(Value x, Activation kind, std::string name);
  /// Multi-head self-attention inside each image. qkv: [rows, 3C], queries, keys, values, each with heads of C / num_heads.
  Value attention(Value qkv, int num_heads, std::string name);
  /// x * gamma per channel (LayerScale).
  Value scale(Value x, Tensor gamma, std::string name);
  /// x * factor.
  Value multiply(Value x, float factor, std::string name);
  Value add(Value a, Value b, std::string name);
  /// The first row of a kind: [images, C].
  Value select_row(Value x, TokenKind kind, std::string name);
  /// The mean, or the greatest value of each channel, over rows: [images, C].
  Value mean_rows(Value x, PooledRows rows, std::string name);
  Value max_rows(Value x, PooledRows rows, std::string name);
  /// Multi-head attention of one learned query over rows: [images, C]. kv: [rows, 2C], keys and values.
  Value attention_pool(Value kv, LatentQuery query, int num_heads, PooledRows rows, std::string name);
  /// Channels of a, then of b.
  Value concat(Value a, Value b, std::string name);

  void set_output(Output which, Value value) { outputs_[static_cast<int>(which)] = value.id; }
  /// -1 when the model does not have it.
  int output(Output which) const { return outputs_[static_cast<int>(which)]; }

  /// The node of a name as users write it: a node's own, or "logits", "features", "embedding" for the outputs. -1 when there is
  /// none.
  int find(const std::string& name) const;

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Value v) const { return nodes_[static_cast<size_t>(v.id)]; }

 private:
  Value append(Node node);
  bool has_rows_of(int id, TokenKind kind) const;
  Node pool_node(NodeKind kind, Value x, PooledRows rows, std::string name) const;
  std::vector<Node> nodes_;
  std::map<std::string, int> names_;
  int outputs_[kOutputs] = {-1, -1, -1};
};

}  // namespace vit
