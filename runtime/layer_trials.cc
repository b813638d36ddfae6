// SPDX-License-Identifier: Apache-2.0
#include "runtime/layer_trials.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ops/operands.h"
#include "ops/panel.h"
#include "runtime/packed_weights.h"

namespace vit {
namespace {

/// How many times the median channel others may be; a smaller one moves more into the weights, which have a scale a row too.
constexpr float kLimits[] = {16, 8, 4, 2};
/// Of smoothing_factors(): how much of the difficulty goes into the weights. Only with pictures of the user's: what one made-up
/// picture shows of every single channel is not worth following.
constexpr float kAlphas[] = {0.25f, 0.5f, 0.75f};
/// Moving has to be worth it: the error must fall by a fifth.
constexpr double kWorthMoving = 0.8;
/// Errors below this are not looked at twice, when nobody has asked for calibration.
constexpr double kGoodEnough = 1e-4;

using Results = std::vector<float>;  ///< [rows, out]

Results multiply_f32(const KernelTable& kernels, const LayerRows& x, const PackedLinear& w, const Workers& workers) {
  Results y(static_cast<size_t>(x.rows * w.out));
  workers.for_each(w.panels(), [&](int, int64_t p) {
    multiply_panel(kernels, w, p, {.x = x.row(0), .x_stride = x.channels, .y = y.data() + p * w.panel, .y_stride = w.out}, x.rows,
                   0, x.rows);
  });
  return y;
}

Results multiply_int8(const KernelTable& kernels, const LayerRows& x, const PackedLinear& w, const std::vector<float>& divisor,
                      const Workers& workers) {
  const int64_t stride = row_stride(operand_floats(Precision::kInt8, x.channels));
  Buffer<float> operands(x.rows * stride);
  std::vector<float> row(static_cast<size_t>(x.channels)), no_bias(static_cast<size_t>(w.panel));
  for (int64_t r = 0; r < x.rows; ++r) {
    std::copy_n(x.row(r), x.channels, row.begin());
    for (size_t c = 0; c < divisor.size(); ++c) row[c] /= divisor[c];
    make_operands(kernels, Precision::kInt8, row.data(), 0, 1, x.channels, operands.data() + r * stride, 0);
  }
  Results y(static_cast<size_t>(x.rows * w.out));
  workers.for_each(w.panels(), [&](int, int64_t p) {
    const int64_t column = p * w.panel;
    Product product = product_with(w, column, std::min(w.panel, w.out - column));
    product.bias = no_bias.data();
    product.x = operands.data(), product.x_stride = stride * 4, product.rows = x.rows;
    product.y = y.data() + column, product.y_stride = w.out;
    multiply(kernels, Precision::kInt8, product);
  });
  return y;
}

/// The greatest weight of each input channel.
std::vector<float> greatest_of_columns(const PackedLinear& weights) {
  std::vector<float> row(static_cast<size_t>(weights.in)), greatest(row.size());
  for (int64_t channel = 0; channel < weights.out; ++channel) {
    unpack_channel(weights, channel, 0, weights.in, row.data());
    for (size_t c = 0; c < row.size(); ++c) greatest[c] = std::max(greatest[c], std::fabs(row[c]));
  }
  return greatest;
}

}  // namespace

void LayerRows::cover(const float* row) {
  for (size_t c = 0; c < greatest.size(); ++c) greatest[c] = std::max(greatest[c], std::fabs(row[c]));
}

/// The LayerNorm before a linear layer, if it is read by nobody else.
const Node* LayerTrials::movable_norm(const Node& linear) const {
  const std::vector<Node>& nodes = model_.graph().nodes();
  const int input = linear.inputs[0];
  if (nodes[static_cast<size_t>(input)].kind != NodeKind::kLayerNorm) return nullptr;
  int readers = 0;
  for (const Node& node : nodes) readers += static_cast<int>(std::count(node.inputs.begin(), node.inputs.end(), input));
  for (int output = 0; output < kOutputs; ++output) readers += model_.graph().output(static_cast<Output>(output)) == input;
  return readers == 1 ? &nodes[static_cast<size_t>(input)] : nullptr;
}

/// Factors to be tried, with where they come from.
std::vector<LayerChoice> LayerTrials::candidates(const LayerRows& rows, const PackedLinear& weights) const {
  std::vector<LayerChoice> all;
  for (const float limit : kLimits) all.push_back({.column_factor = outlier_factors(rows.greatest, limit)});
  if (rows.pictures == 0) return all;
  const std::vector<float> columns = greatest_of_columns(weights);
  for (const float alpha : kAlphas)
    all.push_back({.column_factor = smoothing_factors(rows.greatest, columns, alpha), .alpha = double{alpha}});
  return all;
}

void LayerTrials::try_layer(const Node& node, const LayerRows& rows) {
  const Packing packing{.workers = workers_, .keep_source = true}, freed_soon{Pages::kOwn, workers_, true};
  // A pass that runs meanwhile has these weights too, so that they are packed once.
  const auto weights = shared_pack(model_, node, Precision::kF32, kernels_.panel_columns, {}, freed_soon);
  const Results exact = multiply_f32(kernels_, rows, *weights, workers_);
  std::shared_ptr<const PackedLinear> best;
  const auto cosine_with = [&](const std::vector<float>& factor) {
    auto packed = shared_pack(model_, node, Precision::kInt8, kernels_.product_columns, factor, packing);
    return std::pair(cosine(multiply_int8(kernels_, rows, *packed, factor, workers_), exact), std::move(packed));
  };

  LayerChoice choice;
  choice.pictures = rows.pictures;
  std::tie(choice.cosine, best) = cosine_with({});
  const Node* norm = movable_norm(node);
  if (norm != nullptr && (rows.pictures > 0 || !(1 - choice.cosine < kGoodEnough))) {
    for (const LayerChoice& candidate : candidates(rows, *weights)) {
      if (candidate.column_factor.empty() || candidate.column_factor == choice.column_factor) continue;
      auto [moved, packed] = cosine_with(candidate.column_factor);
      // Of what the user's pictures show to be worth it, the best; the seeded one is trusted with large differences alone.
      const bool known_worth = rows.pictures > 0 && !choice.column_factor.empty();
      if (!(1 - moved < (known_worth ? 1 : kWorthMoving) * (1 - choice.cosine))) continue;
      choice.cosine = moved, choice.column_factor = candidate.column_factor, choice.alpha = candidate.alpha;
      best = std::move(packed);
    }
  }
  if (options_.measure) {
    std::map<int, Isa> isa_of;  // all sets of the same levels compute the same
    for (const Isa isa : usable_isas()) isa_of[vit::kernels(isa).levels] = isa;
    for (const auto& [levels, isa] : isa_of) {
      const KernelTable& other = vit::kernels(isa);
      const auto packed = shared_pack(model_, node, Precision::kInt8, other.product_columns, choice.column_factor, packing);
      choice.with_levels[levels] = nearness(multiply_int8(other, rows, *packed, choice.column_factor, workers_), exact);
    }
  }
  drop_source(node, model_.weights());
  const std::optional<Precision> wish = options_.wish ? options_.wish(node.name) : std::nullopt;
  choice.asked = wish.has_value();
  choice.precision = wish.value_or(choice.cosine >= options_.min_cosine ? Precision::kInt8 : wider_precision(kernels_));
  if (choice.precision == Precision::kInt8)
    packed_.push_back(std::move(best));
  else
    choice.column_factor.clear(), choice.alpha = 0;
  if (!choice.column_factor.empty()) policy_.norm_divisor[choice.norm = norm->name] = choice.column_factor;
  policy_.layers[node.name] = std::move(choice);
}

}  // namespace vit
