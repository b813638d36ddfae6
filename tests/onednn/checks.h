// SPDX-License-Identifier: Apache-2.0
// Activations in double precision, and one object used by several threads.
#pragma once

#include <cmath>
#include <functional>

#include "ops/activation.h"
#include "ops/core/team.h"
#include "tests/catch.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {

constexpr double kUnit = 0x1p-24;  ///< relative error of one rounding to float32

inline double activate(Activation kind, double v) {
  switch (kind) {
    case Activation::kNone: return v;
    case Activation::kGelu: return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * v * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v)));
    case Activation::kQuickGelu: return v / (1 + std::exp(-1.702 * v));
    case Activation::kSilu: return v / (1 + std::exp(-v));
    case Activation::kRelu: return v > 0 ? v : 0;
    case Activation::kTanh: return std::tanh(v);
  }
  return v;
}

/// What oneDNN's approximations add. They multiply v by a number in [0, 1] that is made from erf, tanh or exp; erf by five terms
/// (Abramowitz and Stegun 7.1.26) errs by 1.5e-7, and its exp and the others by a few units in the last place: 1e-6 covers all.
inline double activation_error(Activation kind, double v) {
  return kind == Activation::kNone || kind == Activation::kRelu ? 0 : 1e-6 * std::max(std::abs(v), 1.0);
}
constexpr double kSteepest = 1.2;  ///< no activation's slope is larger

/// work(thread) on `threads` threads at once.
inline void on_threads(TeamKind kind, int threads, const std::function<void(int)>& work) {
  make_team(kind, threads)
      ->run(
          threads, [](void* context, int thread) noexcept { (*static_cast<const std::function<void(int)>*>(context))(thread); },
          const_cast<std::function<void(int)>*>(&work));
}

/// Scratch memory of exactly so many bytes, aligned to a cache line, with guards around it.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : bytes_(bytes), all_(bytes + 256) {
    data_ = all_.data() + (64 - reinterpret_cast<uintptr_t>(all_.data()) % 64) % 64;
    std::memset(data_ + bytes, 0x5a, 128);
  }
  void* data() { return data_; }
  bool intact() const {
    return all_intact() && std::all_of(data_ + bytes_, data_ + bytes_ + 128, [](char b) { return b == 0x5a; });
  }

 private:
  bool all_intact() const { return const_cast<Guarded<char>&>(all_).guards_intact(); }
  int64_t bytes_;
  Guarded<char> all_;
  char* data_;
};

}  // namespace vit
