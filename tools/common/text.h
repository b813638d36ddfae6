// SPDX-License-Identifier: Apache-2.0
// Untrusted bytes (paths, labels, sentences) made fit for a terminal, JSON or CSV; numbers that read back as they were.
#pragma once

#include <string>
#include <string_view>

namespace vit::tool {

/// Valid UTF-8 without control characters or marks that reorder a line: those are shown as \n, \x1b, \u009b; stray bytes as \xff.
std::string visible(std::string_view bytes);
/// A JSON string with its quotes. Control characters are escaped without loss; stray bytes are shown as in visible().
std::string json_string(std::string_view bytes);
/// visible(), in quotes where RFC 4180 wants them.
std::string csv_field(std::string_view bytes);
/// The shortest decimal that reads back as the same value; "null" when it is not finite.
std::string number(float value);
std::string number(double value);
/// Bytes as "1.6 MB".
std::string byte_size(double bytes);

}  // namespace vit::tool
