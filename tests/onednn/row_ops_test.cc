// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/row_ops.h"

#include "tests/onednn/checks.h"

namespace vit {
namespace {

void check_layer_norm(int64_t channels, int64_t x_stride, int64_t y_stride, const std::vector<int64_t>& row_counts,
                      float outlier) {
  CAPTURE(channels, x_stride, y_stride);
  const float eps = 1e-6f;
  Random random(static_cast<uint64_t>(channels));
  const auto gamma = random.normals(channels), beta = random.normals(channels);
  OneDnnLayerNorm norm(channels, eps, gamma.data(), beta.data(), x_stride, y_stride);
  const int64_t bytes = norm.scratch_bytes(200);
  norm.reserve(5), norm.reserve(200);
  for (const int64_t rows : row_counts) {
    auto x = random.normals(rows * x_stride);
    for (int64_t r = 0; r < rows; ++r) x[static_cast<size_t>(r * x_stride)] += outlier;
    Guarded<float> y((rows - 1) * y_stride + channels);
    Scratch scratch(bytes);
    norm.run(rows, x.data(), y.data(), scratch.data());
    CHECK(y.guards_intact());
    CHECK(scratch.intact());
    bool right = true;
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = x.data() + r * x_stride;
      const auto n = static_cast<double>(channels);
      double mean = 0, var = 0, largest = 0;
      for (int64_t c = 0; c < channels; ++c)
        mean += row[c] / n, largest = std::max(largest, std::abs(static_cast<double>(row[c])));
      for (int64_t c = 0; c < channels; ++c) var += (row[c] - mean) * (row[c] - mean) / n;
      const double sigma = std::sqrt(var + eps);
      for (int64_t c = 0; c < channels; ++c) {
        const size_t i = static_cast<size_t>(c);
        const double z = (row[c] - mean) / sigma;
        // A mean of n terms errs by n roundings of the largest; over sigma that shifts z, and the variance errs by as many,
        // relatively.
        const double tolerance = (n + 8) * kUnit * (std::abs(gamma[i]) * (largest / sigma + std::abs(z)) + std::abs(beta[i]));
        right &= std::abs(y[r * y_stride + c] - (z * gamma[i] + beta[i])) <= tolerance;
      }
    }
    CAPTURE(rows);
    CHECK(right);
  }
}

}  // namespace

TEST_CASE("oneDNN's layer normalisation agrees with double precision", "[onednn]") {
  for (const int64_t channels : {1, 3, 17, 192, 384, 1000}) {
    check_layer_norm(channels, channels, channels, {1, 2, 5, 7, 200, 203}, 0);
    check_layer_norm(channels, channels + 16, channels + 16, {1, 5, 6}, 100);
    check_layer_norm(channels, channels + 16, channels, {1, 5, 6}, 0);
  }
}

TEST_CASE("oneDNN's activations agree with double precision, also in place", "[onednn]") {
  for (const Activation kind : {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu, Activation::kSilu,
                                Activation::kRelu, Activation::kTanh}) {
    for (const int64_t channels : {1, 7, 64, 333}) {
      CAPTURE(activation_name(kind), channels);
      OneDnnActivation activation(channels, kind);
      const int64_t rows = 5, stride = channels + 3;
      const auto x = Random(11).normals(rows * stride, 4);
      Guarded<float> y(rows * channels), in_place(x);
      Scratch scratch(activation.scratch_bytes());
      activation.run(rows, x.data(), stride, y.data(), channels, scratch.data());
      activation.run(rows, in_place.data(), stride, in_place.data(), stride, scratch.data());
      bool right = true, same = true;
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < channels; ++c) {
          const double v = x[static_cast<size_t>(r * stride + c)];
          right &= std::abs(y[r * channels + c] - activate(kind, v)) <= activation_error(kind, v);
          same &= y[r * channels + c] == in_place[r * stride + c];
        }
      }
      CHECK(right);
      CHECK(same);
      CHECK(y.guards_intact());
      CHECK(in_place.guards_intact());
    }
  }
}

TEST_CASE("oneDNN adds and multiplies rows, also in place and with one row repeated", "[onednn]") {
  for (const int64_t channels : {1, 7, 64, 333}) {
    const int64_t rows = 4;
    Random random(3);
    const auto a = random.normals(rows * channels), b = random.normals(rows * channels);
    OneDnnBinary add(channels, OneDnnPairwise::kAdd), multiply(channels, OneDnnPairwise::kMultiply);
    Scratch scratch(std::max(add.scratch_bytes(), multiply.scratch_bytes()));
    Guarded<float> sum(rows * channels), product(a);
    add.run(rows, a.data(), channels, b.data(), channels, sum.data(), channels, scratch.data());
    multiply.run(rows, product.data(), channels, b.data(), 0, product.data(), channels, scratch.data());
    bool right = true;  // one rounding, so equal to what the compiler does
    for (int64_t i = 0; i < rows * channels; ++i) {
      const auto at = static_cast<size_t>(i);
      right &= sum[i] == a[at] + b[at] && product[i] == a[at] * b[at % static_cast<size_t>(channels)];
    }
    CHECK(right);
    CHECK(sum.guards_intact());
    CHECK(product.guards_intact());
  }
}

}  // namespace vit
