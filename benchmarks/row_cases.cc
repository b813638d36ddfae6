// SPDX-License-Identifier: Apache-2.0
// Row kernels, on rows of ViT-B; softmax on rows of scores that fill no vector.
#include <numeric>

#include "benchmarks/cases.h"

namespace vit::bench {
namespace {

constexpr int64_t kChannels = 768, kTokens = 197;
constexpr int64_t kRows = 12;  ///< of kernels that take several at a time

std::string several(int64_t n) { return std::to_string(kRows) + " x " + std::to_string(n); }

struct Row {
  std::vector<float> a, b, c, y, before;
  float result = 0;
};

/// `inputs` and the output are of n floats; `expected(row, i)` is what y[i] should be, its magnitude what rounding is measured
/// by.
Case row_case(int64_t n, double operations_each, int inputs, std::function<void(Row&)> call,
              std::function<double(const Row&, size_t)> expected) {
  auto row = std::make_shared<Row>();
  row->a = numbers(n, 1), row->b = numbers(n, 2), row->c = numbers(n, 3), row->before = numbers(n, 4);
  row->y = row->before;
  Case out;
  out.shape = std::to_string(n);
  out.operations = operations_each * static_cast<double>(n);
  out.bytes = static_cast<double>((inputs + 1) * n) * sizeof(float);
  out.run = [row, call] { call(*row); };
  out.right = [row, expected] {
    for (size_t i = 0; i < row->y.size(); ++i)
      if (const double e = expected(*row, i); !near(row->y[i], e, 1)) return false;
    return true;
  };
  return out;
}

double mean(const std::vector<float>& x, double shift, int power) {
  double sum = 0;
  for (const float v : x) sum += std::pow(v - shift, power);
  return sum / static_cast<double>(x.size());
}

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

// Passes over the row times the operations of each: 1 for the mean, 3 for the variance, 4 to finish.
Case layer_norm_rows(const KernelTable& k) {
  Case out = row_case(
      kRows * kChannels, 8, 3,
      [run = k.layer_norm_rows](Row& r) {
        run(r.a.data(), kChannels, kRows, r.b.data(), r.c.data(), 1e-6f, kChannels, r.y.data(), kChannels);
      },
      [](const Row& r, size_t i) {
        const size_t channel = i % kChannels;
        const auto row = r.a.begin() + static_cast<int64_t>(i - channel);
        const std::vector<float> x(row, row + kChannels);
        const double m = mean(x, 0, 1);
        return (r.a[i] - m) / std::sqrt(mean(x, m, 2) + 1e-6) * r.b[channel] + r.c[channel];
      });
  out.shape = several(kChannels);
  return out;
}

Case rms_norm_row(const KernelTable& k) {
  return row_case(
      kChannels, 4, 2, [run = k.rms_norm_row](Row& r) { run(r.a.data(), r.b.data(), 1e-6f, kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return r.a[i] / std::sqrt(mean(r.a, 0, 2) + 1e-6) * r.b[i]; });
}
// Exponentials count as one operation here and below.
Case softmax_rows(const KernelTable& k) {
  Case out = row_case(
      kRows * kTokens, 4, 1,
      [run = k.softmax_rows](Row& r) {
        float sums[kRows];
        run(r.a.data(), kTokens, kRows, 0.125f, kTokens, r.y.data(), kTokens, sums);
      },
      [](const Row& r, size_t i) {
        const float* row = r.a.data() + i - i % kTokens;
        return std::exp(0.125 * (r.a[i] - *std::max_element(row, row + kTokens)));
      });
  out.shape = several(kTokens);
  return out;
}
Case activation_row(const KernelTable& k) {
  Case out = row_case(
      4 * kChannels, 1, 1, [run = k.activation_row](Row& r) { run(r.a.data(), Activation::kGelu, 4 * kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return gelu(r.a[i]); });
  out.shape += ", GELU";
  return out;
}
Case gated_activation_row(const KernelTable& k) {
  Case out = row_case(
      4 * kChannels, 2, 2,
      [run = k.gated_activation_row](Row& r) { run(r.a.data(), r.b.data(), Activation::kSilu, 4 * kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return r.a[i] * (r.b[i] / (1 + std::exp(-static_cast<double>(r.b[i])))); });
  out.shape += ", SiLU";
  return out;
}
Case add_row(const KernelTable& k) {
  return row_case(
      kChannels, 1, 2, [run = k.add_row](Row& r) { run(r.a.data(), r.b.data(), kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return static_cast<double>(r.a[i]) + r.b[i]; });
}
Case scale_row(const KernelTable& k) {
  return row_case(
      kChannels, 1, 2, [run = k.scale_row](Row& r) { run(r.a.data(), r.b.data(), kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return static_cast<double>(r.a[i]) * r.b[i]; });
}
Case multiply_row(const KernelTable& k) {
  return row_case(
      kChannels, 1, 1, [run = k.multiply_row](Row& r) { run(r.a.data(), 0.7f, kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return static_cast<double>(r.a[i]) * 0.7f; });
}
Case max_row(const KernelTable& k) {
  return row_case(
      kChannels, 1, 2, [run = k.max_row](Row& r) { run(r.a.data(), r.b.data(), kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return std::max<double>(r.a[i], r.b[i]); });
}
/// y grows with every call; only what the first one made of it is compared.
Case add_scaled_row(const KernelTable& k) {
  return row_case(
      kChannels, 2, 2, [run = k.add_scaled_row](Row& r) { run(r.a.data(), 0.7f, kChannels, r.y.data()); },
      [](const Row& r, size_t i) { return r.before[i] + static_cast<double>(r.a[i]) * 0.7f; });
}

/// A kernel that answers one number.
Case dot_row(const KernelTable& k) {
  auto row = std::make_shared<Row>();
  row->a = numbers(kChannels, 1), row->b = numbers(kChannels, 2);
  Case out;
  out.shape = std::to_string(kChannels);
  out.operations = 2.0 * kChannels, out.bytes = 2.0 * kChannels * sizeof(float);
  out.run = [row, run = k.dot_row] { row->result = run(row->a.data(), row->b.data(), kChannels); };
  out.right = [row] {
    double sum = 0, size = 0;
    for (size_t i = 0; i < row->a.size(); ++i) {
      const double term = static_cast<double>(row->a[i]) * row->b[i];
      sum += term, size += std::fabs(term);
    }
    return near(row->result, sum, size);
  };
  return out;
}
Case multiply_add_chains(const KernelTable& k) {
  constexpr int64_t kSteps = 1000;
  auto row = std::make_shared<Row>();
  Case out;
  out.shape = std::to_string(kSteps) + " steps";
  out.operations = 2.0 * kMultiplyAddChains * k.lanes * kSteps;
  out.run = [row, run = k.multiply_add_chains] { row->result = run(0.5f, 1.0f, kSteps); };
  out.right = [row, lanes = k.lanes] { return near(row->result, 2.0 * kMultiplyAddChains * lanes, 0); };  // x/2 + 1 ends at 2
  return out;
}

}  // namespace

std::vector<NamedCase> row_cases() {
  return {{"layer_norm_rows", layer_norm_rows},
          {"rms_norm_row", rms_norm_row},
          {"softmax_rows", softmax_rows},
          {"activation_row", activation_row},
          {"gated_activation_row", gated_activation_row},
          {"add_row", add_row},
          {"scale_row", scale_row},
          {"multiply_row", multiply_row},
          {"max_row", max_row},
          {"add_scaled_row", add_scaled_row},
          {"dot_row", dot_row},
          {"multiply_add_chains", multiply_add_chains}};
}

}  // namespace vit::bench
