// SPDX-License-Identifier: Apache-2.0
// Every operation here is in the order and precision of Pillow's, and the build forbids fused multiply-adds: the weights are
// equal to the last bit.
#include "runtime/image/resize_axis.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "ops/core/error.h"

namespace vit {
namespace {

constexpr double kPi = std::numbers::pi;

double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x = x * kPi;
  return std::sin(x) / x * (0.54f + 0.46f * std::cos(x));  // float constants, double arithmetic
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x = x * kPi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

struct FilterShape {
  double (*value)(double x);
  double support;
};

FilterShape shape_of(Filter filter) {
  switch (filter) {
    case Filter::kBox: return {box, 0.5};
    case Filter::kHamming: return {hamming, 1.0};
    case Filter::kBicubic: return {bicubic, 2.0};
    case Filter::kLanczos: return {lanczos, 3.0};
    case Filter::kBilinear:
    case Filter::kNearest: break;
  }
  return {bilinear, 1.0};
}

constexpr int kBits = 22;

int32_t fixed_point(double weight, int bits) {
  const double one = 1 << bits;
  return static_cast<int32_t>(weight < 0 ? weight * one - 0.5 : weight * one + 0.5);
}

/// torch's weights are 16 bits wide: as many bits behind the point as the largest of an axis leaves.
int torch_bits(double largest) {
  int bits = 0;
  while (bits < kBits && static_cast<int64_t>(0.5 + largest * static_cast<double>(int64_t{2} << bits)) < (1 << 15)) ++bits;
  return bits;
}

}  // namespace

ResizeAxis::ResizeAxis(int64_t from, int64_t to, AxisWindow window, Filter filter, Resampler resampler, uint64_t max_bytes) {
  assert(from >= 1 && to >= 1 && filter != Filter::kNearest);
  const FilterShape shape = shape_of(filter);
  const double source = static_cast<float>(from);  // Pillow keeps the source's box in floats
  const double scale = source / static_cast<double>(to);
  const double filter_scale = std::max(scale, 1.0);
  const double support = shape.support * filter_scale, inverse = 1.0 / filter_scale;

  // How fine torch's weights are depends on those of the whole axis.
  const AxisWindow whole{0, to};
  const int64_t computed = resampler == Resampler::kTorch ? to : window.size();
  const double most = (2 * std::ceil(support) + 1) * static_cast<double>(computed) * sizeof(int32_t);
  VIT_CHECK(most <= static_cast<double>(max_bytes), Code::kMemory, "the weights that resize ", from, " pixels to ", to,
            " would take ", most, " bytes, the limit is ", max_bytes);

  std::vector<double> raw;
  const auto for_each = [&](AxisWindow outputs, auto use) {
    for (int64_t i = outputs.begin; i < outputs.end; ++i) {
      const double center = (static_cast<double>(i) + 0.5) * scale;
      int64_t begin = std::max(int64_t{0}, static_cast<int64_t>(center - support + 0.5));
      const int64_t end = std::min(from, static_cast<int64_t>(center + support + 0.5));
      raw.clear();
      if (begin >= end) {  // past the end by the rounding of `source`, above 2^24: Pillow gives 0
        begin = from - 1;
        raw.push_back(0);
      }
      double sum = 0.0;
      for (int64_t j = begin; j < end; ++j) {
        raw.push_back(shape.value((static_cast<double>(j) - center + 0.5) * inverse));
        sum += raw.back();
      }
      for (double& w : raw) w = sum != 0.0 ? w / sum : w;
      use(begin);
    }
  };

  int bits = kBits;
  if (resampler == Resampler::kTorch) {
    double largest = 0;
    for_each(whole, [&](int64_t) { largest = std::max(largest, *std::max_element(raw.begin(), raw.end())); });
    bits = torch_bits(largest);
  }
  spans_.reserve(static_cast<size_t>(window.size()));
  for_each(window, [&](int64_t begin) {
    spans_.push_back({begin, static_cast<int64_t>(raw.size()), weights_.size()});
    for (const double w : raw) weights_.push_back(fixed_point(w, bits) * (1 << (kBits - bits)));
  });
}

int64_t ResizeAxis::most_taps() const {
  int64_t most = 0;
  for (const Span& span : spans_) most = std::max(most, span.taps);
  return most;
}

std::vector<int64_t> nearest_axis(int64_t from, int64_t to, AxisWindow window) {
  const double step = static_cast<double>(from) / static_cast<double>(to);
  std::vector<int64_t> index(static_cast<size_t>(window.size()));
  double position = 0.5 * step;  // summed up, not multiplied: the rounding is Pillow's
  for (int64_t i = 0; i < window.end; ++i, position += step) {
    const int64_t at = static_cast<int64_t>(position);
    if (i >= window.begin) index[static_cast<size_t>(i - window.begin)] = at < from ? at : -1;
  }
  return index;
}

std::vector<int64_t> torch_nearest_axis(int64_t from, int64_t to, AxisWindow window) {
  const float step = static_cast<float>(from) / static_cast<float>(to);
  std::vector<int64_t> index;
  for (int64_t i = window.begin; i < window.end; ++i)
    index.push_back(std::min(static_cast<int64_t>(std::floor(static_cast<float>(i) * step)), from - 1));
  return index;
}

}  // namespace vit
