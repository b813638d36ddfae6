// SPDX-License-Identifier: Apache-2.0
// Seeded numbers that are the same everywhere (SplitMix64; the standard library's distributions are not).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace vit {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
  float normal() {
    const double r = std::sqrt(-2 * std::log(1 - uniform()));
    return static_cast<float>(r * std::cos(6.283185307179586 * uniform()));
  }
  std::vector<float> normals(int64_t n, float scale = 1) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& x : v) x = scale * normal();
    return v;
  }
  std::vector<uint8_t> bytes(int64_t n) {
    std::vector<uint8_t> v(static_cast<size_t>(n));
    for (uint8_t& x : v) x = static_cast<uint8_t>(bits());
    return v;
  }

 private:
  uint64_t state_;
};

}  // namespace vit
