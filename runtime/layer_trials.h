// SPDX-License-Identifier: Apache-2.0
// What 8 bits make of a linear layer, and what is done about it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quant/policy.h"
#include "runtime/plan.h"

namespace vit {

struct TrialOptions {
  double min_cosine = kDefaultMinCosine;
  /// What the user wants a layer to be computed in, if anything.
  std::function<std::optional<Precision>(const std::string& layer)> wish = nullptr;
  bool measure = false;  ///< fills LayerChoice::with_levels, for 8-bit and 7-bit activations where this CPU has both
};

/// What a layer is tried on.
struct LayerRows {
  int64_t rows = 0, channels = 0;
  std::vector<float> values;    ///< [rows, channels]
  std::vector<float> greatest;  ///< of each channel, of more rows than these perhaps
  int64_t pictures = 0;         ///< of the user's that they come from; 0: the seeded one

  LayerRows(int64_t r, int64_t c) : rows(r), channels(c), values(static_cast<size_t>(r * c)), greatest(static_cast<size_t>(c)) {}
  float* row(int64_t r) { return values.data() + r * channels; }
  const float* row(int64_t r) const { return values.data() + r * channels; }
  /// Has greatest[] cover a row.
  void cover(const float* row);
};

/// Tries layers, one after the other: only one's float32 weights are made at a time.
class LayerTrials {
 public:
  /// `workers` share the packing of weights; try_layer() must not be called from a region of their team.
  LayerTrials(const Model& model, const KernelTable& kernels, TrialOptions options, const Workers& workers)
      : model_(model), kernels_(kernels), options_(std::move(options)), workers_(workers) {}

  /// Throws Error(kMemory).
  void try_layer(const Node& node, const LayerRows& rows);
  /// What was decided of all layers so far.
  QuantPolicy policy() { return std::move(policy_); }
  /// The 8-bit weights that were tried and are wanted: as long as somebody holds them, sessions need not make them again.
  std::vector<std::shared_ptr<const PackedLinear>> packed() { return std::move(packed_); }

 private:
  const Node* movable_norm(const Node& linear) const;
  std::vector<LayerChoice> candidates(const LayerRows& rows, const PackedLinear& weights) const;

  const Model& model_;
  const KernelTable& kernels_;
  TrialOptions options_;
  Workers workers_;
  QuantPolicy policy_;
  std::vector<std::shared_ptr<const PackedLinear>> packed_;
};

}  // namespace vit
