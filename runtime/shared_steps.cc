// SPDX-License-Identifier: Apache-2.0
// Steps that every backend takes from our own kernels.
#include "ops/attention_pool.h"
#include "ops/pool.h"
#include "ops/row_norm.h"
#include "runtime/packed_weights.h"
#include "runtime/step_maker.h"

namespace vit {
namespace {

template <class S>
std::unique_ptr<S> make(const KernelTable& kernels) {
  auto step = std::make_unique<S>();
  step->kernels = &kernels;
  step->implementation = "row";
  return step;
}

RowNorm row_norm(const NormWeights& weights, float eps) {
  RowNorm norm;
  norm.channels = weights.gamma.shape.elements();
  norm.eps = eps;
  norm.gamma = padded_floats(weights.gamma, 1);
  if (weights.beta) norm.beta = padded_floats(weights.beta, 1);
  return norm;
}

template <class S>
std::unique_ptr<Step> make_pool(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y) {
  auto step = make<S>(kernels);
  step->x = x, step->y = y, step->channels = node.channels, step->kind = node.row_kind;
  return step;
}

}  // namespace

std::unique_ptr<Step> make_rms_norm(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y) {
  auto step = make<RowNormStep>(kernels);
  step->x = x, step->y = y, step->norm = row_norm(node.norm, node.eps);
  return step;
}

std::unique_ptr<Step> make_head_norm(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y) {
  auto step = make<HeadNormStep>(kernels);
  step->x = x, step->y = y, step->channels = node.channels;
  for (const HeadNorm& part : node.heads) step->parts.push_back({part.first, part.heads, row_norm(part.norm, node.eps)});
  return step;
}

std::unique_ptr<Step> make_patch_norm(const Node& norm, const KernelTable& kernels, int64_t prefix_rows, BufferRef y) {
  auto step = make<PatchNormStep>(kernels);
  step->y = y, step->prefix_rows = prefix_rows, step->norm = row_norm(norm.norm, norm.eps);
  return step;
}

std::unique_ptr<Step> make_mean_rows(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y) {
  return make_pool<MeanRowsStep>(node, kernels, x, y);
}

std::unique_ptr<Step> make_max_rows(const Node& node, const KernelTable& kernels, BufferRef x, BufferRef y) {
  return make_pool<MaxRowsStep>(node, kernels, x, y);
}

std::unique_ptr<Step> make_attention_pool(const Node& node, const KernelTable& kernels, BufferRef kv, BufferRef y) {
  auto step = make<AttentionPoolStep>(kernels);
  step->kv = kv, step->y = y, step->kind = node.row_kind;
  step->heads = node.num_heads, step->head_dim = node.channels / node.num_heads;
  step->query = latent_query(node.query);
  return step;
}

}  // namespace vit
