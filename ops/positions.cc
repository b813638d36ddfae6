// SPDX-License-Identifier: Apache-2.0
#include "ops/positions.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "ops/core/memory.h"

namespace vit {
namespace {

/// Where one output cell of an axis comes from.
struct Taps {
  std::vector<int64_t> at;
  std::vector<double> weight;
};

/// Keys' cubic convolution kernel, zero outside (-2, 2).
double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// torch keeps scales and sample points of a float32 tensor in float32.
float scale_of(int64_t from, int64_t to) { return static_cast<float>(from) / static_cast<float>(to); }

Taps four_taps(int64_t i, int64_t from, int64_t to) {
  const float source = scale_of(from, to) * (static_cast<float>(i) + 0.5f) - 0.5f;
  const float whole = std::floor(source);
  const double t = static_cast<double>(source - whole);
  Taps taps;
  for (int64_t k = -1; k <= 2; ++k) {
    taps.at.push_back(std::clamp<int64_t>(static_cast<int64_t>(whole) + k, 0, from - 1));
    taps.weight.push_back(cubic(t - static_cast<double>(k), -0.75));
  }
  return taps;
}

Taps window(int64_t i, int64_t from, int64_t to) {
  const float scale = scale_of(from, to);
  const double stretch = std::max(1.0, static_cast<double>(scale)), support = 2 * stretch;
  const double centre = static_cast<double>(scale * (static_cast<float>(i) + 0.5f));
  const int64_t begin = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
  const int64_t end = std::min(static_cast<int64_t>(centre + support + 0.5), from);
  Taps taps;
  double sum = 0;
  for (int64_t j = begin; j < end; ++j) {
    taps.at.push_back(j);
    taps.weight.push_back(cubic((static_cast<double>(j) - centre + 0.5) / stretch, -0.5));
    sum += taps.weight.back();
  }
  for (double& w : taps.weight) w /= sum;
  return taps;
}

std::vector<Taps> axis_taps(int64_t from, int64_t to, bool antialias) {
  std::vector<Taps> taps;
  for (int64_t i = 0; i < to; ++i) taps.push_back(antialias ? window(i, from, to) : four_taps(i, from, to));
  return taps;
}

}  // namespace

void interpolate_positions(const float* table, int64_t grid_height, int64_t grid_width, int64_t channels,
                           const PositionRule& rule, int64_t new_height, int64_t new_width, float* out) {
  assert(grid_height > 0 && grid_width > 0 && channels > 0 && new_height > 0 && new_width > 0);
  const int64_t cells = grid_height * grid_width, row = grid_width * channels;
  const bool native = new_height == rule.native_height && new_width == rule.native_width && new_height * new_width == cells;
  if (native || (new_height == grid_height && new_width == grid_width)) {
    std::copy_n(table, cells * channels, out);
    return;
  }
  const std::vector<Taps> down = axis_taps(grid_height, new_height, rule.antialias),
                          across = axis_taps(grid_width, new_width, rule.antialias);
  Buffer<double> line(row), cell(channels);
  for (const Taps& y : down) {
    std::fill_n(line.data(), row, 0.0);
    for (size_t k = 0; k < y.at.size(); ++k) {
      const float* from = table + y.at[k] * row;
      for (int64_t i = 0; i < row; ++i) line[i] += y.weight[k] * static_cast<double>(from[i]);
    }
    for (const Taps& x : across) {
      std::fill_n(cell.data(), channels, 0.0);
      for (size_t k = 0; k < x.at.size(); ++k) {
        const double* from = line.data() + x.at[k] * channels;
        for (int64_t c = 0; c < channels; ++c) cell[c] += x.weight[k] * from[c];
      }
      for (int64_t c = 0; c < channels; ++c) *out++ = static_cast<float>(cell[c]);
    }
  }
}

}  // namespace vit
