// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/printable.h"

#include <cstdint>
#include <cstdio>

namespace vit {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  ///< 0: not valid UTF-8
};

Character decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t code = first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};  // by length: shorter forms exist below
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[bytes] || code > 0x10ffff || surrogate) return {};
  return {code, bytes};
}

}  // namespace

std::string printable(std::string_view text, size_t longest) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (out.size() >= longest) return out + "...";
    const Character c = decode(text.substr(i));
    char escape[8] = "";
    if (c.bytes == 0 || c.code < 0x20 || c.code == 0x7f) {
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<uint8_t>(text[i]));
    } else if (c.code >= 0x80 && c.code < 0xa0) {
      std::snprintf(escape, sizeof escape, "\\u%04x", c.code);
    }
    const size_t bytes = c.bytes == 0 ? 1 : c.bytes;
    out += *escape ? std::string_view(escape) : text.substr(i, bytes);
    i += bytes;
  }
  return out;
}

}  // namespace vit
