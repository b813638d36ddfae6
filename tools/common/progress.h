// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace vit::tool {

/// "12/100  85.3 images/s  1 s left" on standard error, at most ten times a second; nothing unless that is a terminal that
/// shows no results and there is more than one input.
class Progress {
 public:
  explicit Progress(size_t total);
  ~Progress() { clear(); }
  /// One more input is done.
  void step();
  /// Takes the line away, before something else is written.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  size_t total_, done_ = 0;
  bool shown_, on_screen_ = false;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace vit::tool
