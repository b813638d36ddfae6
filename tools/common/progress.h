// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace vit::tool {

/// "12/100  85.3 images/s  1 s left  2 failed" in the last line of a terminal on standard error, at most ten times a second.
class Progress {
 public:
  enum class Shown { kNo, kYes };
  /// Shown::kYes where the results go elsewhere than to a terminal; the line stays away where standard error is none.
  explicit Progress(Shown shown, const char* unit = "images") : shown_(shown == Shown::kYes && is_possible()), unit_(unit) {}
  ~Progress() { clear(); }
  /// Whether there is a terminal to show it on.
  static bool is_possible();

  /// How many there will be, once that is known.
  void expect(std::optional<size_t> total) { total_ = total; }
  void step(size_t done, size_t failed);
  /// Takes the line away, before something else is written.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool shown_, on_screen_ = false;
  const char* unit_;
  std::optional<size_t> total_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

/// Seconds as people say them: "8 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace vit::tool
