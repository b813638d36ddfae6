// SPDX-License-Identifier: Apache-2.0
// Rows as narrow operands.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/precision.h"
#include "tests/kernels/checks.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {
namespace {

constexpr int64_t kSizes[] = {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 192, 200, 1000};

constexpr int64_t kRows = 7;  // a group and more

RowScale scale_behind(const uint8_t* row, int64_t n) {
  RowScale scale;
  std::memcpy(&scale, row + operand_bytes(Precision::kInt8, n), sizeof scale);
  return scale;
}

}  // namespace

void check_quantise_rows(const KernelTable& kernels) {
  for (const int64_t n : kSizes)
    for (const float shift : {0.0f, 5.0f, -300.0f}) {
      CAPTURE(n, shift);
      Random random(static_cast<uint64_t>(n));
      const int64_t padded = operand_bytes(Precision::kInt8, n), bytes = padded + static_cast<int64_t>(sizeof(RowScale));
      const int64_t x_stride = n + 3, y_stride = bytes + 4;
      std::vector<float> numbers = random.normals((kRows - 1) * x_stride + n, 3);
      for (float& v : numbers) v += shift;
      Guarded<float> x(numbers, 1);
      Guarded<uint8_t> y((kRows - 1) * y_stride + bytes, 5);
      kernels.quantise_rows(x.data(), x_stride, kRows, n, y.data(), y_stride);
      CHECK(y.guards_intact());
      for (int64_t r = 0; r < kRows; ++r) {
        CAPTURE(r);
        const float* from = x.data() + r * x_stride;
        const uint8_t* found = y.data() + r * y_stride;
        const RowScale row = scale_behind(found, n);
        const auto [low, high] = std::minmax_element(from, from + n);
        const double range = std::max(0.0f, *high) - std::min(0.0f, *low);
        CHECK_NEAR(row.scale, range / kernels.levels, 4 * kEpsilon * range);
        CHECK(row.zero_point == std::nearbyint(row.zero_point));
        for (int64_t i = 0; i < n; ++i) {
          CHECK(found[i] <= kernels.levels);
          // Half a step; at the ends half a step more, where the zero point's own rounding cuts.
          CHECK_NEAR(row.scale * (found[i] - row.zero_point), from[i], row.scale * (1 + 1e-4));
        }
        for (int64_t i = n; i < padded; ++i) CHECK(found[i] == 0);

        std::vector<uint8_t> alone(static_cast<size_t>(bytes));
        kernels.quantise_rows(from, 0, 1, n, alone.data(), 0);
        CHECK(std::equal(alone.begin(), alone.end(), found));
      }
    }

  std::vector<float> zeros(40);
  std::vector<uint8_t> y(64 + sizeof(RowScale));
  kernels.quantise_rows(zeros.data(), 0, 1, 40, y.data(), 0);
  CHECK(std::count(y.begin(), y.begin() + 64, 0) == 64);
  CHECK(std::isfinite(1 / scale_behind(y.data(), 40).scale));
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {kNaN, -kNaN, kInfinity, -kInfinity})
    for (const size_t at : {size_t{0}, size_t{17}, size_t{39}}) {
      std::vector<float> x(40, 1.0f);
      x[at] = bad;
      kernels.quantise_rows(x.data(), 0, 1, 40, y.data(), 0);
      CHECK(std::isnan(scale_behind(y.data(), 40).scale));
    }
}

void check_layer_norm_int8_rows(const KernelTable& kernels) {
  const float eps = 1e-6f;
  for (const int64_t n : kSizes) {
    CAPTURE(n);
    Random random(static_cast<uint64_t>(n) + 20);
    const int64_t bytes = operand_bytes(Precision::kInt8, n) + static_cast<int64_t>(sizeof(RowScale));
    const int64_t x_stride = n + 3, y_stride = bytes + 4, norm_stride = n + 1;
    std::vector<float> numbers = random.normals((kRows - 1) * x_stride + n, 3);
    numbers[static_cast<size_t>(2 * x_stride + n / 2)] = NAN;
    numbers[static_cast<size_t>(5 * x_stride + n - 1)] = -std::numeric_limits<float>::infinity();
    Guarded<float> x(numbers, 1), gamma(random.normals(n), 2), beta(random.normals(n), 3);
    Guarded<float> norm((kOperandRows - 1) * norm_stride + n, 1);
    Guarded<uint8_t> y((kRows - 1) * y_stride + bytes, 5);
    kernels.layer_norm_int8_rows(x.data(), x_stride, kRows, gamma.data(), beta.data(), eps, n, norm.data(), norm_stride, y.data(),
                                 y_stride);
    CHECK(y.guards_intact());
    CHECK(norm.guards_intact());

    std::vector<float> normed(static_cast<size_t>(kRows * n));
    std::vector<uint8_t> expected(static_cast<size_t>(kRows * bytes));
    kernels.layer_norm_rows(x.data(), x_stride, kRows, gamma.data(), beta.data(), eps, n, normed.data(), n);
    kernels.quantise_rows(normed.data(), n, kRows, n, expected.data(), bytes);
    for (int64_t r = 0; r < kRows; ++r) {
      CAPTURE(r);
      const uint8_t *found = y.data() + r * y_stride, *right = expected.data() + r * bytes;
      if (r == 2 || r == 5)
        CHECK(std::isnan(scale_behind(found, n).scale));
      else
        CHECK(std::equal(right, right + bytes, found));
    }
  }
}

void check_bf16_row(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    CAPTURE(n);
    Random random(static_cast<uint64_t>(n) + 50);
    Guarded<float> x(random.normals(n, 100), 1);
    x[0] = 1.00390625f;               // halfway between two, the lower one even
    if (n > 1) x[1] = 1.01171875f;    // halfway, the upper one even
    if (n > 2) x[2] = 3.3961775e38f;  // rounds to infinity
    if (n > 16) x[16] = NAN;
    Guarded<uint16_t> y(operand_bytes(Precision::kBF16, n) / 2, 3);
    kernels.bf16_row(x.data(), n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) {
      if (std::isnan(x[i]))
        CHECK(std::isnan(from_bf16(y[i])));
      else
        CHECK(y[i] == to_bf16(x[i]));
    }
    CHECK(from_bf16(y[0]) == 1.0f);
    if (n > 1) CHECK(from_bf16(y[1]) == 1.015625f);
    for (int64_t i = n; i < y.size(); ++i) CHECK(y[i] == 0);
  }
}

void check_softmax_bf16_rows(const KernelTable& kernels) {
  for (const float scale : {0.3f, 1.0f})  // 1: heads of one number, the greatest there is
    for (const int64_t n : kSizes) {
      CAPTURE(n, scale);
      Random random(8);
      const int64_t x_stride = n + 5, y_stride = operand_bytes(Precision::kBF16, n) / 2 + 2;
      const std::vector<float> x = random.normals(kRows * x_stride, 20);
      Guarded<uint16_t> y((kRows - 1) * y_stride + y_stride - 2, 3);
      float sums[kRows];
      kernels.softmax_bf16_rows(x.data(), x_stride, kRows, scale, n, y.data(), y_stride, sums);
      CHECK(y.guards_intact());
      for (int64_t r = 0; r < kRows; ++r) {
        CAPTURE(r);
        const float* row = x.data() + r * x_stride;
        const uint16_t* found = y.data() + r * y_stride;
        const double top = *std::max_element(row, row + n);
        double total = 0;
        for (int64_t i = 0; i < n; ++i) {
          const double e = std::exp(scale * (row[i] - top));
          total += e;
          // Half a unit in bfloat16's last place, and exp2_coarse's 7.5e-5; below, bfloat16 may flush denormal numbers.
          CHECK_NEAR(from_bf16(found[i]), e, e * (0x1p-8 + 1.5e-4) + 1.2e-38);
        }
        CHECK_NEAR(sums[r], total, total * 1.5e-4);
        for (int64_t i = n; i < y_stride - 2; ++i) CHECK(found[i] == 0);

        std::vector<uint16_t> alone(static_cast<size_t>(y_stride));
        float sum = 0;
        kernels.softmax_bf16_rows(row, 0, 1, scale, n, alone.data(), 0, &sum);
        CHECK(sum == sums[r]);
        CHECK(std::equal(alone.begin(), alone.end() - 2, found));
      }
    }
}

void check_interleave_rows(const KernelTable& kernels) {
  for (const int64_t n : kSizes) {
    Random random(3);
    std::vector<uint16_t> even(static_cast<size_t>(n)), odd(static_cast<size_t>(n));
    for (auto* row : {&even, &odd})
      for (uint16_t& v : *row) v = static_cast<uint16_t>(random.bits());
    Guarded<uint16_t> y(2 * n, 1);
    kernels.interleave_rows(even.data(), odd.data(), n, y.data());
    CHECK(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) {
      CHECK(y[2 * i] == even[static_cast<size_t>(i)]);
      CHECK(y[2 * i + 1] == odd[static_cast<size_t>(i)]);
    }
  }
}

}  // namespace vit
