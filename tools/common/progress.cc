// SPDX-License-Identifier: Apache-2.0
#include "tools/common/progress.h"

#include <unistd.h>

#include <cstdio>

namespace vit::tool {

Progress::Progress(size_t total) : total_(total), shown_(total > 1 && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO)) {}

void Progress::step() {
  ++done_;
  const Clock::time_point now = Clock::now();
  if (!shown_ || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  const double rate = static_cast<double>(done_) / std::chrono::duration<double>(now - start_).count();
  std::fprintf(stderr, "\r\33[K%zu/%zu  %.1f images/s  %.0f s left", done_, total_, rate,
               static_cast<double>(total_ - done_) / rate);
  on_screen_ = true;
}

void Progress::clear() {
  if (on_screen_) std::fputs("\r\33[K", stderr);
  on_screen_ = false;
}

}  // namespace vit::tool
