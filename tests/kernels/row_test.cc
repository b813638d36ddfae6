// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "tests/kernels/checks.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {
namespace {

constexpr int64_t kSizes[] = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 192, 197, 1000, 1025};
constexpr int64_t kRows = 7;  // a group and more

double reference(Activation kind, double x) {
  switch (kind) {
    case Activation::kNone: return x;
    case Activation::kGelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));  // (1 + tanh u) / 2
    case Activation::kQuickGelu: return x / (1 + std::exp(-1.702 * x));
    case Activation::kSilu: return x / (1 + std::exp(-x));
    case Activation::kRelu: return std::max(x, 0.0);
    case Activation::kTanh: return std::tanh(x);
  }
  return NAN;
}

constexpr Activation kActivations[] = {Activation::kNone, Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu,
                                       Activation::kSilu, Activation::kRelu, Activation::kTanh};

/// From the derivations in ops/kernels/math-inl.h and activation-inl.h: the exponential is right to 2e-7 relative, and so are the
/// logistic forms x σ(c x), but for the rounding of c x, which the exponential turns into |c x| half-units; Φ - 1/2 is right to
/// 2e-7 and tanh to 2.4e-7 absolute.
double activation_bound(Activation kind, double x) {
  const double y = std::fabs(reference(kind, x)), size = std::fabs(x);
  if (kind == Activation::kNone || kind == Activation::kRelu) return 0;
  if (kind == Activation::kGelu) return 2e-7 * size + 4 * kEpsilon * y + 1e-12;
  if (kind == Activation::kTanh) return 2.4e-7;
  const double inner = kind == Activation::kGeluTanh ? 1.6 * (size + 0.045 * size * size * size) : 1.71 * size;
  return y * (6e-7 + 4 * kEpsilon * inner) + 1e-30;
}

/// Values that matter: around zero, the ends of the fits, far outside, and a spread.
std::vector<float> interesting(Random& random, int64_t n) {
  std::vector<float> x = random.normals(n, 3);
  const float special[] = {0.0f, -0.0f, 5.4f, -5.4f, 5.39f, 20.0f, -20.0f, 90.0f, -90.0f, 1e-20f, 1e4f, -1e4f, 0.3465f, -0.3466f};
  for (size_t i = 0; i < x.size() && i < std::size(special); ++i) x[i] = special[i];
  return x;
}

}  // namespace

void check_layer_norm_rows(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    CAPTURE(n);
    Random random(7);
    const int64_t x_stride = n + 3, y_stride = n + 5;
    std::vector<float> values = random.normals((kRows - 1) * x_stride + n, 2);
    for (int64_t r = 0; r < kRows; ++r) values[static_cast<size_t>(r * x_stride + n / 2)] = 500;  // an outlier channel
    Guarded<float> x(values, 1), gamma(random.normals(n), 2), beta(random.normals(n), 3), y((kRows - 1) * y_stride + n, 1);
    kernels.layer_norm_rows(x.data(), x_stride, kRows, gamma.data(), beta.data(), 1e-6f, n, y.data(), y_stride);
    CHECK(y.guards_intact());
    for (int64_t r = 0; r < kRows; ++r) {
      CAPTURE(r);
      const float *row = x.data() + r * x_stride, *found = y.data() + r * y_stride;
      double mean = 0, var = 0, top = 0;
      for (int64_t i = 0; i < n; ++i) mean += row[i], top = std::max<double>(top, std::fabs(row[i]));
      mean /= static_cast<double>(n);
      for (int64_t i = 0; i < n; ++i) var += (row[i] - mean) * (row[i] - mean);
      const double sigma = std::sqrt(var / static_cast<double>(n) + 1e-6);
      for (int64_t i = 0; i < n; ++i) {
        const double z = (row[i] - mean) / sigma;
        // A mean of n terms errs by at most n half-units of the largest; so does each difference from it. Dividing by sigma makes
        // that relative to the row; the variance adds n half-units of z itself.
        const double bound = kEpsilon * ((static_cast<double>(n) + 3) * (top / sigma + std::fabs(z)) * std::fabs(gamma[i]) +
                                         2 * std::fabs(beta[i]));
        CHECK_NEAR(found[i], z * gamma[i] + beta[i], bound);
      }
      std::vector<float> alone(static_cast<size_t>(n));
      kernels.layer_norm_rows(row, 0, 1, gamma.data(), beta.data(), 1e-6f, n, alone.data(), 0);
      CHECK(std::equal(alone.begin(), alone.end(), found));
    }
  }
}

void check_softmax_rows(const KernelTable& kernels) {
  for (const float scale : {0.3f, 1.0f})  // 1: heads of one number, the greatest there is
    for (const int64_t n : kSizes) {
      CAPTURE(n, scale);
      Random random(8);
      const int64_t x_stride = n + 3, y_stride = n + 5;
      Guarded<float> x(random.normals((kRows - 1) * x_stride + n, 20), 1), y((kRows - 1) * y_stride + n, 3);
      float sums[kRows];
      kernels.softmax_rows(x.data(), x_stride, kRows, scale, n, y.data(), y_stride, sums);
      CHECK(y.guards_intact());
      for (int64_t r = 0; r < kRows; ++r) {
        CAPTURE(r);
        const float *row = x.data() + r * x_stride, *found = y.data() + r * y_stride;
        const double top = *std::max_element(row, row + n);
        double total = 0;
        for (int64_t i = 0; i < n; ++i) {
          const double argument = scale * (row[i] - top), e = std::exp(argument);
          total += e;
          // 2e-7 of the exponential, and the roundings of its argument, each half a unit of scale * x, scale * top or their
          // difference: two with fused multiply-add, three without.
          const double inner = scale * (std::fabs(row[i]) + std::fabs(top));
          CHECK_NEAR(found[i], e, e * (3e-7 + 3 * kEpsilon * inner) + 2e-38);
        }
        CHECK_NEAR(sums[r], total, total * (3e-7 + kEpsilon * (static_cast<double>(n) + 2 * scale * 160)));

        std::vector<float> alone(static_cast<size_t>(n));
        float sum = 0;
        kernels.softmax_rows(row, 0, 1, scale, n, alone.data(), 0, &sum);
        CHECK(sum == sums[r]);
        CHECK(std::equal(alone.begin(), alone.end(), found));
      }
    }
}

void check_activation_row(const KernelTable& kernels) {
  for (const Activation kind : kActivations)
    for (const int64_t n : kSizes) {
      CAPTURE(activation_name(kind), n);
      Random random(9);
      Guarded<float> x(interesting(random, n), 1), y(n, 2);
      kernels.activation_row(x.data(), kind, n, y.data());
      CHECK(y.guards_intact());
      for (int64_t i = 0; i < n; ++i) {
        CAPTURE(x[i]);
        CHECK_NEAR(y[i], reference(kind, x[i]), activation_bound(kind, x[i]));
      }
      x[0] = NAN;
      kernels.activation_row(x.data(), kind, n, x.data());
      CHECK(std::isnan(x[0]));
    }
}

void check_gated_activation_row(const KernelTable& kernels) {
  for (const Activation kind : kActivations)
    for (const int64_t n : {1, 17, 100}) {
      CAPTURE(activation_name(kind), n);
      Random random(10);
      Guarded<float> x(random.normals(n), 1), gate(interesting(random, n), 2), y(n, 3);
      kernels.gated_activation_row(x.data(), gate.data(), kind, n, y.data());
      CHECK(y.guards_intact());
      for (int64_t i = 0; i < n; ++i) {
        const double expected = reference(kind, gate[i]) * x[i];
        CHECK_NEAR(y[i], expected, activation_bound(kind, gate[i]) * std::fabs(x[i]) + kEpsilon * std::fabs(expected));
      }
    }
}

void check_add_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    Random random(11);
    Guarded<float> a(random.normals(n), 1), b(random.normals(n), 2), y(n, 3);
    kernels.add_row(a.data(), b.data(), n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) CHECK(y[i] == a[i] + b[i]);
  }
}

void check_scale_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    Random random(12);
    Guarded<float> x(random.normals(n), 1), gamma(random.normals(n), 2), y(n, 3);
    kernels.scale_row(x.data(), gamma.data(), n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) CHECK(y[i] == x[i] * gamma[i]);
  }
}

void check_multiply_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    Random random(13);
    Guarded<float> x(random.normals(n), 1), y(n, 2);
    kernels.multiply_row(x.data(), 0.7f, n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) CHECK(y[i] == x[i] * 0.7f);
  }
}

void check_multiply_add_chains(const KernelTable& kernels) {
  // x/2 + 1 three times is x/8 + 7/4: each number here has few enough bits to be exact.
  const double first = kMultiplyAddChains * (kMultiplyAddChains - 1) / 2.0;
  CHECK(kernels.multiply_add_chains(0.5f, 1.0f, 0) == kernels.lanes * first);
  CHECK(kernels.multiply_add_chains(0.5f, 1.0f, 3) == kernels.lanes * (first / 8 + kMultiplyAddChains * 1.75));
}

void check_rms_norm_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    CAPTURE(n);
    Random random(14);
    Guarded<float> x(random.normals(n, 2), 1), gamma(random.normals(n), 2), y(n, 3);
    kernels.rms_norm_row(x.data(), gamma.data(), 1e-5f, n, y.data());
    CHECK(y.guards_intact());
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) squares += static_cast<double>(x[i]) * x[i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    // A sum of n squares, all of one sign, errs by n + 1 half-units, its root by half of that; six roundings more, eps' own among
    // them.
    for (int64_t i = 0; i < n; ++i) {
      const double expected = x[i] * scale * gamma[i];
      CHECK_NEAR(y[i], expected, kEpsilon * (static_cast<double>(n) + 7) * std::fabs(expected));
    }
  }
}

void check_max_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    Random random(15);
    Guarded<float> a(random.normals(n), 1), b(random.normals(n), 2), y(n, 3);
    kernels.max_row(a.data(), b.data(), n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) CHECK(y[i] == std::max(a[i], b[i]));
  }
}

void check_add_scaled_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    Random random(16);
    const auto before = random.normals(n);
    Guarded<float> x(random.normals(n), 1), y(before, 2);
    kernels.add_scaled_row(x.data(), 0.7f, n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) {
      const double product = static_cast<double>(x[i]) * 0.7f, expected = before[static_cast<size_t>(i)] + product;
      CHECK_NEAR(y[i], expected, kEpsilon * (std::fabs(product) + std::fabs(expected)) * 1.01);  // one rounding or two
    }
  }
}

void check_dot_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    CAPTURE(n);
    Random random(17);
    Guarded<float> a(random.normals(n), 1), b(random.normals(n), 2);
    double expected = 0, size = 0;
    for (int64_t i = 0; i < n; ++i)
      expected += static_cast<double>(a[i]) * b[i], size += std::fabs(static_cast<double>(a[i]) * b[i]);
    // Each product takes part in at most n sums, and is rounded itself.
    CHECK_NEAR(kernels.dot_row(a.data(), b.data(), n), expected, kEpsilon * (static_cast<double>(n) + 1) * size);
  }
}

}  // namespace vit
