// SPDX-License-Identifier: Apache-2.0
#include "quant/policy.h"

#include <algorithm>
#include <cmath>

namespace vit {

std::vector<float> outlier_factors(std::span<const float> greatest, float limit) {
  std::vector<float> sorted(greatest.begin(), greatest.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const float allowed = limit * *middle;
  std::vector<float> factors(greatest.size(), 1.0f);
  bool any = false;
  for (size_t c = 0; c < greatest.size(); ++c) {
    if (!(greatest[c] > allowed) || allowed <= 0 || !std::isfinite(greatest[c])) continue;
    factors[c] = std::exp2(std::ceil(std::log2(greatest[c] / allowed)));
    any = true;
  }
  return any ? factors : std::vector<float>();
}

std::vector<float> smoothing_factors(std::span<const float> greatest, std::span<const float> weight, float alpha) {
  constexpr float kMostExponent = 16;
  // Not finite where a side is zero.
  const auto exponent = [&](size_t c) { return alpha * std::log2(greatest[c]) - (1 - alpha) * std::log2(weight[c]); };
  std::vector<float> sorted;
  for (size_t c = 0; c < greatest.size(); ++c)
    if (std::isfinite(exponent(c))) sorted.push_back(exponent(c));
  if (sorted.empty()) return {};
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  std::vector<float> factors(greatest.size(), 1.0f);
  for (size_t c = 0; c < greatest.size(); ++c)
    if (std::isfinite(exponent(c)))
      factors[c] = std::exp2(std::clamp(std::round(exponent(c) - *middle), -kMostExponent, kMostExponent));
  return std::any_of(factors.begin(), factors.end(), [](float f) { return f != 1; }) ? factors : std::vector<float>();
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double both = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    both += x * y, aa += x * x, bb += y * y;
  }
  return aa == 0 && bb == 0 ? 1 : both / std::sqrt(aa * bb);
}

Nearness nearness(std::span<const float> values, std::span<const float> exact) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double x = static_cast<double>(exact[i]), error = static_cast<double>(values[i]) - x;
    signal += x * x, noise += error * error;
  }
  constexpr double kMost = 300;  // of exact results
  return {cosine(values, exact), noise > 0 ? std::min(kMost, 10 * std::log10(signal / noise)) : kMost};
}

}  // namespace vit
