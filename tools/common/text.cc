// SPDX-License-Identifier: Apache-2.0
#include "tools/common/text.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace vit::tool {
namespace {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;  ///< 0: not UTF-8 here
};

/// The code point that starts text; overlong forms, surrogates and values above U+10FFFF are not UTF-8.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                        : lead >= 0xE0 && lead <= 0xEF ? 3
                        : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return {};
  char32_t value = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length};
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }
/// Line and paragraph separators, and what makes a terminal show text in another order than it has.
bool is_reordering(char32_t c) { return (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); }

std::string hex(const char* format, unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string visible_escape(char32_t c) {
  switch (c) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return c < 0x80 ? hex("\\x%02x", c) : hex("\\u%04x", c);
  }
}

/// Copies `bytes`; `replace` answers what stands for a code point, or nothing to keep it; `stray` what stands for a bad byte.
template <class Replace, class Stray>
std::string translate(std::string_view bytes, Replace replace, Stray stray) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint c = first_code_point(bytes.substr(at));
    if (c.bytes == 0) {
      out += stray(static_cast<unsigned char>(bytes[at++]));
      continue;
    }
    const std::string instead = replace(c.value);
    out += instead.empty() ? bytes.substr(at, c.bytes) : std::string_view(instead);
    at += c.bytes;
  }
  return out;
}

template <class Real>
std::string shortest(Real value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace

std::string visible(std::string_view bytes) {
  return translate(
      bytes, [](char32_t c) { return is_control(c) || is_reordering(c) ? visible_escape(c) : std::string(); },
      [](unsigned byte) { return hex("\\x%02x", byte); });
}

std::string json_string(std::string_view bytes) {
  const auto replace = [](char32_t c) -> std::string {
    if (c == '"') return "\\\"";
    if (c == '\\') return "\\\\";
    if (c == '\n') return "\\n";
    return is_control(c) || is_reordering(c) ? hex("\\u%04x", c) : std::string();
  };
  return '"' + translate(bytes, replace, [](unsigned byte) { return hex("\\\\x%02x", byte); }) + '"';
}

std::string csv_field(std::string_view bytes) {
  const std::string text = visible(bytes);
  const bool spaced = !text.empty() && (text.front() == ' ' || text.back() == ' ');
  if (!spaced && text.find_first_of(",\"") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string number(float value) { return shortest(value); }
std::string number(double value) { return shortest(value); }

std::string byte_size(double bytes) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; ++unit) bytes /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

}  // namespace vit::tool
