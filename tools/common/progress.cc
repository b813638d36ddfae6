// SPDX-License-Identifier: Apache-2.0
#include "tools/common/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "tools/common/terminal.h"

namespace vit::tool {

std::string duration_text(double seconds) {
  const auto s = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9) + 0.5);
  const auto pair = [](int64_t a, const char* unit_a, int64_t b, const char* unit_b) {
    return std::to_string(a) + unit_a + (b == 0 ? "" : " " + std::to_string(b) + unit_b);
  };
  if (s < 60) return std::to_string(s) + " s";
  return s < 3600 ? pair(s / 60, " min", s % 60, " s") : pair(s / 3600, " h", s % 3600 / 60, " min");
}

bool Progress::is_possible() { return is_screen(STDERR_FILENO); }

void Progress::step(size_t done, size_t failed) {
  const Clock::time_point now = Clock::now();
  if (!shown_ || done == 0 || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  const double rate = static_cast<double>(done) / std::chrono::duration<double>(now - start_).count();
  char number[64];
  std::snprintf(number, sizeof number, "  %.1f %s/s", rate, unit_);
  std::string line = std::to_string(done) + (total_ ? "/" + std::to_string(*total_) : "") + number;
  if (total_ && *total_ >= done) line += "  " + duration_text(static_cast<double>(*total_ - done) / rate) + " left";
  const std::string errors = failed == 0 ? "" : "  " + std::to_string(failed) + " failed";
  const size_t columns = screen_columns(STDERR_FILENO);
  if (line.size() + errors.size() >= columns) line.resize(std::min(line.size(), columns - 1));
  if (line.size() + errors.size() < columns)
    line += errors.empty() || !has_colors(STDERR_FILENO) ? errors : "\33[31m" + errors + "\33[0m";
  std::fprintf(stderr, "\r\33[K%s", line.c_str());
  on_screen_ = true;
}

void Progress::clear() {
  if (on_screen_) std::fputs("\r\33[K", stderr);
  on_screen_ = false;
}

}  // namespace vit::tool
