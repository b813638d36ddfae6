// SPDX-License-Identifier: Apache-2.0
#include "tests/image/helpers.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>

#include "ops/core/error.h"
#include "runtime/image/decode.h"

namespace vit {
namespace {

void append_u32(std::vector<uint8_t>& to, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(value >> shift));
}

Filter filter_of(const std::string& name) {
  for (const Filter f : {Filter::kNearest, Filter::kBox, Filter::kBilinear, Filter::kHamming, Filter::kBicubic, Filter::kLanczos})
    if (name == filter_name(f)) return f;
  throw std::runtime_error("no filter " + name);
}

/// zlib's format with stored blocks.
std::vector<uint8_t> stored(const std::vector<uint8_t>& raw) {
  std::vector<uint8_t> out = {0x78, 0x01};
  for (size_t at = 0; at == 0 || at < raw.size(); at += 65535) {
    const uint32_t n = static_cast<uint32_t>(std::min<size_t>(65535, raw.size() - at));
    const bool last = at + n == raw.size();
    for (const uint32_t byte : {last ? 1u : 0u, n & 255, n >> 8, ~n & 255, (~n >> 8) & 255})
      out.push_back(static_cast<uint8_t>(byte));
    out.insert(out.end(), raw.begin() + static_cast<std::ptrdiff_t>(at), raw.begin() + static_cast<std::ptrdiff_t>(at + n));
  }
  uint32_t a = 1, b = 0;  // Adler-32
  for (const uint8_t byte : raw) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  append_u32(out, b << 16 | a);
  return out;
}

}  // namespace

std::vector<uint8_t> generated(int64_t count, uint32_t seed) {
  std::vector<uint8_t> out(static_cast<size_t>(count));
  for (uint8_t& byte : out) {
    seed = seed * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(seed >> 24);
  }
  return out;
}

uint32_t crc32(Bytes bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
      made[i] = value;
    }
    return made;
  }();
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) crc = crc >> 8 ^ table[(crc ^ byte) & 255];
  return ~crc;
}

std::string fixture_path(const std::string& name) { return std::string(VIT_SOURCE_DIR) + "/tests/fixtures/images/" + name; }

std::vector<uint8_t> fixture(const std::string& name) { return read_file(fixture_path(name), 1 << 20); }

std::vector<GoldenLine> golden_lines(const std::string& manifest, const std::string& word) {
  std::vector<GoldenLine> lines;
  std::ifstream file(fixture_path(manifest));
  for (std::string text; std::getline(file, text);) {
    std::istringstream in(text);
    GoldenLine line;
    std::string filter;
    in >> line.word;
    if (line.word != word) continue;
    if (word == "resize") {
      in >> line.seed >> line.from_height >> line.from_width >> filter;
      line.filter = filter_of(filter);
    } else {
      in >> line.file;
      if (word == "draft") in >> line.from_height >> line.from_width;
    }
    in >> line.height >> line.width >> std::hex >> line.crc >> line.first >> line.json;
    lines.push_back(line);
  }
  return lines;
}

std::string described(const uint8_t* rgb, int64_t height, int64_t width) {
  const Bytes all(rgb, static_cast<size_t>(height * width * 3));
  std::ostringstream out;
  out << height << 'x' << width << ' ' << std::hex << std::setfill('0') << std::setw(8) << crc32(all) << ' ';
  for (const uint8_t byte : all.first(std::min<size_t>(12, all.size()))) out << std::setw(2) << int{byte};
  return out.str();
}

std::string expected(const GoldenLine& line) {
  std::ostringstream out;
  out << line.height << 'x' << line.width << ' ' << std::hex << std::setfill('0') << std::setw(8) << line.crc << ' '
      << line.first;
  return out.str();
}

void append_chunk(std::vector<uint8_t>& png, const std::string& type, Bytes data) {
  append_u32(png, static_cast<uint32_t>(data.size()));
  const size_t start = png.size();
  png.insert(png.end(), type.begin(), type.end());
  png.insert(png.end(), data.begin(), data.end());
  append_u32(png, crc32(Bytes(png).subspan(start)));
}

std::vector<uint8_t> png_header(uint32_t width, uint32_t height, int color_type) {
  std::vector<uint8_t> png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, header;
  append_u32(header, width);
  append_u32(header, height);
  for (const int byte : {8, color_type, 0, 0, 0}) header.push_back(static_cast<uint8_t>(byte));
  append_chunk(png, "IHDR", header);
  return png;
}

std::vector<uint8_t> plain_png(uint32_t width, uint32_t height, int color_type, uint8_t value) {
  const size_t row_bytes = size_t{width} * (color_type == 2 ? 3 : 1);
  std::vector<uint8_t> raw;
  for (uint32_t y = 0; y < height; ++y) {
    raw.push_back(0);  // no row filter
    raw.insert(raw.end(), row_bytes, value);
  }
  std::vector<uint8_t> png = png_header(width, height, color_type);
  append_chunk(png, "IDAT", stored(raw));
  append_chunk(png, "IEND", {});
  return png;
}

Bytes bytes_of(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::string refusal(Bytes file) {
  try {
    decode_image(file, "x");
  } catch (const Error& error) {
    return error.code() == Code::kImage ? error.what() : "not an image's error";
  }
  return "";
}

}  // namespace vit
