// SPDX-License-Identifier: Apache-2.0
#include "tools/common/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace vit::tool {

bool is_screen(int fd) {
  const char* const kind = std::getenv("TERM");
  return isatty(fd) == 1 && kind != nullptr && std::string_view(kind) != "dumb" && *kind != '\0';
}

bool has_colors(int fd) {
  const char* const refused = std::getenv("NO_COLOR");  // no-color.org: set to anything but nothing
  return is_screen(fd) && (refused == nullptr || *refused == '\0');
}

size_t screen_columns(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace vit::tool
