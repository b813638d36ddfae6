// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/orientation.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace vit {
namespace {

using namespace std::string_view_literals;

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
uint32_t big16(Bytes at, size_t i) { return uint32_t{at[i]} << 8 | at[i + 1]; }
uint32_t big32(Bytes at, size_t i) { return big16(at, i) << 16 | big16(at, i + 2); }
uint32_t little32(Bytes at, size_t i) { return __builtin_bswap32(big32(at, i)); }

/// What a file says, in the two forms that it may have.
struct Metadata {
  std::vector<uint8_t> exif;  ///< joined, when it stands in several segments
  Bytes xmp;
};

Metadata from_jpeg(Bytes file) {
  Metadata found;
  for (size_t at = 2; at + 4 <= file.size();) {
    if (file[at] != 0xff || file[at + 1] == 0xff) {
      ++at;  // fill bytes, and what some cameras leave between segments
      continue;
    }
    const uint8_t marker = file[at + 1];
    if (marker == 0xda || marker == 0xd9) break;  // pixels, end
    if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    const size_t bytes = big16(file, at + 2);
    if (bytes < 2 || bytes > file.size() - at - 2) break;
    Bytes segment = file.subspan(at + 4, bytes - 2);
    constexpr std::string_view kExif = "Exif\0\0"sv, kXmp = "http://ns.adobe.com/xap/1.0/\0"sv;
    if (marker == 0xe1 && text(segment).starts_with(kExif)) {
      segment = segment.subspan(kExif.size());
      found.exif.insert(found.exif.end(), segment.begin(), segment.end());
    } else if (marker == 0xe1 && text(segment).starts_with(kXmp)) {
      found.xmp = segment.subspan(kXmp.size());
    }
    at += 2 + bytes;
  }
  return found;
}

/// The text of an iTXt chunk with XMP in it, if it is not compressed.
Bytes xmp_of_text(Bytes chunk) {
  constexpr std::string_view kPlain = "XML:com.adobe.xmp\0\0\0"sv;
  return text(chunk).starts_with(kPlain) ? chunk.subspan(kPlain.size()) : Bytes{};
}

Metadata from_png(Bytes file) {
  Metadata found;
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t bytes = big32(file, at);
    if (bytes > file.size() - at - 12) break;
    const std::string_view type = text(file.subspan(at + 4, 4));
    const Bytes chunk = file.subspan(at + 8, bytes);
    if (type == "eXIf") found.exif.assign(chunk.begin(), chunk.end());
    if (type == "iTXt")
      if (const Bytes xmp = xmp_of_text(chunk); !xmp.empty()) found.xmp = xmp;
    at += 12 + bytes;
  }
  return found;
}

Metadata from_webp(Bytes file) {
  Metadata found;
  for (size_t at = 12; at + 8 <= file.size();) {
    const std::string_view type = text(file.subspan(at, 4));
    const size_t bytes = little32(file, at + 4);
    if (bytes > file.size() - at - 8) break;
    const Bytes chunk = file.subspan(at + 8, bytes);
    if (type == "EXIF" && found.exif.empty()) found.exif.assign(chunk.begin(), chunk.end());
    if (type == "XMP " && found.xmp.empty()) found.xmp = chunk;
    at += 8 + bytes + (bytes & 1);
  }
  return found;
}

/// Tag 0x0112 of the first directory of a TIFF structure.
std::optional<uint32_t> from_exif(Bytes tiff) {
  while (text(tiff).starts_with("Exif\0\0"sv)) tiff = tiff.subspan(6);
  if (tiff.size() < 8) return {};
  const bool little = text(tiff).starts_with("II*\0"sv);
  if (!little && !text(tiff).starts_with("MM\0*"sv)) return {};
  const auto u16 = [&](size_t i) { return little ? __builtin_bswap16(static_cast<uint16_t>(big16(tiff, i))) : big16(tiff, i); };
  const auto u32 = [&](size_t i) { return little ? little32(tiff, i) : big32(tiff, i); };

  std::optional<uint32_t> found;
  const size_t directory = u32(4);
  if (directory > tiff.size() || tiff.size() - directory < 2) return {};
  size_t entry = directory + 2;
  for (size_t left = u16(directory); left > 0 && entry + 12 <= tiff.size(); --left, entry += 12) {
    constexpr uint32_t kOrientation = 0x0112, kShort = 3, kLong = 4;
    if (u16(entry) != kOrientation || u32(entry + 4) != 1) continue;
    if (u16(entry + 2) == kShort) found = u16(entry + 8);
    if (u16(entry + 2) == kLong) found = u32(entry + 8);
  }
  return found;
}

/// The attribute or element tiff:Orientation, found as Pillow finds it: by its text.
std::optional<uint32_t> from_xmp(Bytes xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = 0; (at = text(xmp).find(kName, at)) != std::string_view::npos;) {
    at += kName.size();
    const std::string_view rest = text(xmp).substr(at);
    const size_t digit = rest.starts_with("=\"") ? 2 : rest.starts_with(">") ? 1 : rest.size();
    if (digit < rest.size() && rest[digit] >= '0' && rest[digit] <= '9') return static_cast<uint32_t>(rest[digit] - '0');
  }
  return {};
}

void flip_row(uint8_t* row, int64_t width) {
  for (int64_t a = 0, b = width - 1; a < b; ++a, --b) std::swap_ranges(row + 3 * a, row + 3 * a + 3, row + 3 * b);
}

void flip_rows(const Pixels& pixels) {
  for (int64_t a = 0, b = pixels.height - 1; a < b; ++a, --b)
    std::swap_ranges(pixels.row(a), pixels.row(a) + pixels.width * 3, pixels.row(b));
}

/// In squares, so that both sides stay in the cache.
Pixels transpose(const Pixels& from) {
  constexpr int64_t kSquare = 64;
  Pixels to(from.width, from.height);
  for (int64_t y0 = 0; y0 < to.height; y0 += kSquare)
    for (int64_t x0 = 0; x0 < to.width; x0 += kSquare)
      for (int64_t y = y0; y < std::min(y0 + kSquare, to.height); ++y)
        for (int64_t x = x0; x < std::min(x0 + kSquare, to.width); ++x) std::memcpy(to.row(y) + 3 * x, from.row(x) + 3 * y, 3);
  return to;
}

}  // namespace

int read_orientation(Bytes file) {
  const bool png = text(file).starts_with("\x89PNG"), webp = text(file).starts_with("RIFF"),
             jpeg = text(file).starts_with("\xff\xd8");
  if (!png && !webp && !jpeg) return 1;
  const Metadata found = jpeg ? from_jpeg(file) : png ? from_png(file) : from_webp(file);
  const uint32_t value = from_exif(found.exif).value_or(from_xmp(found.xmp).value_or(1));
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

Pixels apply_orientation(Pixels pixels, int orientation) {
  // Every orientation is an optional transposition, then flips: 5 itself, 6 and 7 flip its rows from left to right, 7 and 8 turn
  // it over.
  if (orientation >= 5) pixels = transpose(pixels);
  const bool mirror = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool upside_down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  if (mirror)
    for (int64_t y = 0; y < pixels.height; ++y) flip_row(pixels.row(y), pixels.width);
  if (upside_down) flip_rows(pixels);
  return pixels;
}

}  // namespace vit
