// SPDX-License-Identifier: Apache-2.0
// Resampled position tables against torch.
#include "ops/positions.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/arch/models.h"
#include "tests/catch.h"

namespace vit {
namespace {

std::vector<float> resampled(const GoldenTensor& table, int64_t height, int64_t width, const PositionRule& rule) {
  std::vector<float> out(static_cast<size_t>(height * width * table.shape[2]), NAN);
  interpolate_positions(table.values.data(), table.shape[0], table.shape[1], table.shape[2], rule, height, width, out.data());
  return out;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
  }
  return worst;
}

TEST_CASE("position tables are resampled as torch does it, with and without antialiasing", "[arch]") {
  const Goldens goldens = read_goldens(std::string(VIT_SOURCE_DIR) + "/tests/fixtures/positions.safetensors");
  int compared = 0;
  for (const auto& [name, expected] : goldens) {
    const bool antialias = name.ends_with("-antialias");
    if (!antialias && !name.ends_with("-plain")) continue;
    const GoldenTensor& table = goldens.at(name.substr(0, name.rfind('-')));
    // torch misreads the vertical taps of a float table of width 1 with antialiasing; none is among the goldens.
    REQUIRE(table.shape[1] > 1);
    INFO(name);
    const auto got = resampled(table, expected.shape[0], expected.shape[1], {.antialias = antialias});
    // torch sums up to 4 x 4 (antialiased: 10 x 10) float32 products of weights of at most 1.4 and values of at most 4: rounding
    // of the sums and of the weights gives a few ulp of 4 (4.8e-7 each); sample points are float32 on both sides.
    CHECK(largest_difference(got, expected.values) <= 5e-6);
    ++compared;
  }
  CHECK(compared == 18);
}

TEST_CASE("a table of one row or one column is resampled along the other", "[arch]") {
  const bool antialias = GENERATE(false, true);
  const GoldenTensor column{Shape{4, 1, 1}, {1, 2, 3, 4}};
  const auto got = resampled(column, 4, 3, {.antialias = antialias});
  // Each row is constant, and the weights of a constant sum to one.
  for (size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - static_cast<float>(1 + i / 3)) <= 1e-6f);
}

TEST_CASE("the native grid and the table's own grid leave a table as it is", "[arch]") {
  std::vector<float> values;
  for (int i = 0; i < 16 * 2; ++i) values.push_back(static_cast<float>(i) * 0.37f - 1);
  const GoldenTensor table{Shape{4, 4, 2}, values};
  CHECK(resampled(table, 4, 4, {}) == values);
  CHECK(resampled(table, 2, 8, {.native_height = 2, .native_width = 8}) == values);
  CHECK(resampled(table, 2, 8, {}) != values);
  CHECK(resampled(table, 8, 2, {.native_height = 2, .native_width = 8}) != values);
}

}  // namespace
}  // namespace vit
