// SPDX-License-Identifier: Apache-2.0
// Pictures, files and checksums for the tests of this area.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/core/file.h"
#include "runtime/image/pixels.h"
#include "runtime/image/recipe.h"

namespace vit {

/// Bytes of the generator that tests/goldens/make_pillow.py has: s = s * 1664525 + 1013904223 mod 2^32, the upper 8 bits of each.
std::vector<uint8_t> generated(int64_t count, uint32_t seed);
/// zlib's CRC-32.
uint32_t crc32(Bytes bytes);

std::string fixture_path(const std::string& name);
std::vector<uint8_t> fixture(const std::string& name);

/// One line of a manifest, as make_pillow.py describes it.
struct GoldenLine {
  std::string word, file;                   ///< decode, stored, resize, draft or pixels; a file but for resize
  uint32_t seed = 0;                        // resize
  int64_t from_height = 0, from_width = 0;  ///< draft: what is needed
  Filter filter = Filter::kNearest;
  int64_t height = 0, width = 0;  ///< of the result
  uint32_t crc = 0;
  std::string first;  ///< its first 12 bytes in hex
  std::string json;   // pixels
};
std::vector<GoldenLine> golden_lines(const std::string& manifest, const std::string& word);

/// Its size, CRC and first bytes, to be compared with expected().
std::string described(const uint8_t* rgb, int64_t height, int64_t width);
inline std::string described(const Pixels& pixels) { return described(pixels.data.data(), pixels.height, pixels.width); }
std::string expected(const GoldenLine& line);

/// A valid PNG of stored (not compressed) rows, all bytes `value`. Colour type 0 or 2, 8 bits.
std::vector<uint8_t> plain_png(uint32_t width, uint32_t height, int color_type, uint8_t value);
/// The signature and header of a PNG, and nothing more.
std::vector<uint8_t> png_header(uint32_t width, uint32_t height, int color_type = 2);
void append_chunk(std::vector<uint8_t>& png, const std::string& type, Bytes data);

Bytes bytes_of(const std::string& text);
/// The sentence of the Error that decoding gives; empty when there is none.
std::string refusal(Bytes file);

}  // namespace vit
