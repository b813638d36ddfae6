// SPDX-License-Identifier: Apache-2.0
// What a stream that is shown to a person can do.
#pragma once

#include <cstddef>

namespace vit::tool {

/// Whether what is written to `fd` is seen on a terminal that understands escape codes.
bool is_screen(int fd);
/// The same, and colours are wanted: the variable NO_COLOR is not set.
bool has_colors(int fd);
/// Columns of the terminal; 80 where it does not say.
size_t screen_columns(int fd);

}  // namespace vit::tool
