// SPDX-License-Identifier: Apache-2.0
// Our steps against oneDNN's primitives, on the same numbers.
#include "benchmarks/steps.h"
#include "ops/onednn/attention.h"
#include "ops/onednn/onednn.h"
#include "ops/onednn/patch_convolution.h"

namespace vit::bench {
namespace {

bool close(const std::vector<float>& a, const std::vector<float>& b, double size) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!near(a[i], b[i], size)) return false;
  return true;
}

/// Ours starts at 8-bit pixels; oneDNN is given what it wants, floats in planes, for free.
ContestResult patches(const KernelTable& kernels, int64_t patch, double seconds) {
  const PatchSize size{224, patch, 384};
  const auto pixels = bytes(size.side * size.side * 3, 1);
  const auto weight = numbers(size.channels * size.patch_floats(), 2);
  const Rig rig = patch_rig(kernels, size, pixels, weight);

  auto planes = std::make_shared<std::vector<float>>(pixels.size());
  const auto area = static_cast<size_t>(size.side * size.side), cells = static_cast<size_t>(patch * patch);
  for (size_t i = 0; i < pixels.size(); ++i) (*planes)[i % 3 * area + i / 3] = pixels[i];
  std::vector<float> by_plane(weight.size());
  for (size_t i = 0; i < weight.size(); ++i)
    by_plane[i / (3 * cells) * (3 * cells) + i % 3 * cells + i % (3 * cells) / 3] = weight[i];
  auto convolution =
      std::make_shared<OneDnnPatchConvolution>(OneDnnPatchParams{size.side, patch, size.channels, by_plane.data()});
  convolution->run(planes->data());
  std::vector<float> theirs(static_cast<size_t>(rig->rows.count * size.channels));
  convolution->copy_result(theirs.data());

  const bool right = rig->right() && close(rig->result(), theirs, 255.0 * static_cast<double>(size.patch_floats()));
  return contest("patches of " + std::to_string(patch) + ", 224 x 224 to 384", contender("patch gather", rig),
                 {"convolution", rig->operations(), [=] { convolution->run(planes->data()); }}, right, seconds);
}

ContestResult attention(const KernelTable& kernels, const AttentionSize& size, double seconds) {
  const int64_t channels = size.heads * size.head_dim;
  const auto qkv = std::make_shared<std::vector<float>>(numbers(size.tokens * 3 * channels, 1));
  const Rig rig = attention_rig(kernels, size, *qkv);

  auto other = std::make_shared<OneDnnAttention>(size.heads, size.head_dim, 3 * channels, channels);
  other->reserve(size.tokens, size.tokens);
  auto y = std::make_shared<std::vector<float>>(static_cast<size_t>(size.tokens * channels));
  auto scratch = std::make_shared<Buffer<char>>(other->scratch_bytes(size.tokens));
  const auto run = [=] { other->run(0, size.tokens, size.tokens, qkv->data(), y->data(), scratch->data()); };
  run();

  const bool right = rig->right() && close(rig->result(), *y, 1);
  return contest("attention, " + std::to_string(size.tokens) + " tokens, " + std::to_string(size.heads) + " heads of " +
                     std::to_string(size.head_dim),
                 contender("two-pass softmax", rig), {"matmul + softmax", rig->operations(), run}, right, seconds);
}

}  // namespace

std::vector<ContestResult> time_against_onednn(const std::string& isa, double seconds) {
  const Isa chosen = choose_isa(isa);
  onednn_cap_isa(chosen);
  const KernelTable& table = kernels(chosen);
  std::vector<ContestResult> out;
  for (const int64_t patch : {8, 14, 16, 32}) out.push_back(patches(table, patch, seconds / 7));
  for (const AttentionSize& size : {AttentionSize{197, 6, 64}, AttentionSize{197, 12, 64}, AttentionSize{1025, 16, 72}})
    out.push_back(attention(table, size, seconds / 7));
  return out;
}

}  // namespace vit::bench
