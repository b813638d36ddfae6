// SPDX-License-Identifier: Apache-2.0
// BMP, PNM and TGA by stb_image. It reads truncated files as if zeros followed, knows variants that Pillow reads differently and
// trusts some fields, so the headers are checked here first and its every read is watched.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include "ops/core/checked.h"
#include "runtime/image/decoders.h"
#include "runtime/io/printable.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_ONLY_PNM
#define STBI_ONLY_TGA
#define STBI_NO_STDIO
#define STBI_ASSERT(x) static_cast<void>(x)
#define STBI_MAX_DIMENSIONS 0x7fffffff  // the product is what allocate_pixels() checks
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace vit {
namespace {

uint32_t u16(Bytes at, size_t i) { return uint32_t{at[i]} | uint32_t{at[i + 1]} << 8; }
uint32_t u32(Bytes at, size_t i) { return u16(at, i) | u16(at, i + 2) << 16; }

/// What stb_image reads from: a header, then the rest.
struct Source {
  Bytes parts[2];
  bool starved = false;  ///< it asked for more than there is

  static int read(void* user, char* to, int bytes) {
    Source& s = *static_cast<Source*>(user);
    size_t done = 0;
    for (Bytes& part : s.parts) {
      const size_t n = std::min(part.size(), static_cast<size_t>(bytes) - done);
      if (n > 0) std::memcpy(to + done, part.data(), n);
      part = part.subspan(n);
      done += n;
    }
    s.starved |= done == 0;
    return static_cast<int>(done);
  }
  static void skip(void* user, int bytes) {
    Source& s = *static_cast<Source*>(user);
    size_t left = static_cast<size_t>(std::max(bytes, 0));
    for (Bytes& part : s.parts) {
      const size_t n = std::min(part.size(), left);
      part = part.subspan(n);
      left -= n;
    }
  }
  static int at_end(void* user) {
    const Source& s = *static_cast<const Source*>(user);
    return s.parts[0].empty() && s.parts[1].empty();
  }
};

/// `pixels` has the size that the header says.
Pixels load(const DecodeJob& job, const char* format, Source source, Pixels pixels) {
  const stbi_io_callbacks callbacks = {Source::read, Source::skip, Source::at_end};
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&std::free)> rgb(
      stbi_load_from_callbacks(&callbacks, &source, &width, &height, &channels, 3), std::free);
  if (source.starved) fail_truncated(job, format);
  if (!rgb) {
    VIT_CHECK(std::strcmp(stbi_failure_reason(), "outofmem") != 0, Code::kMemory, job.name, ": not enough memory to decode this ",
              format);
    fail_damaged(job, format, stbi_failure_reason());
  }
  VIT_CHECK(width == pixels.width && height == pixels.height, Code::kImage, job.name, ": damaged ", format,
            ": its header has two sizes");
  std::memcpy(pixels.data.data(), rgb.get(), static_cast<size_t>(pixels.data.size()));
  return pixels;
}

/// Throws when the file has fewer than `offset` + `rows` x `row_bytes` bytes; `padding` of the last row's may be missing.
void require_bytes(const DecodeJob& job, const char* format, uint64_t offset, uint64_t rows, uint64_t row_bytes,
                   uint64_t padding = 0) {
  uint64_t needed = 0;
  if (!mul_ok(rows, row_bytes, &needed) || !add_ok(needed, offset, &needed) || needed - padding > job.file.size())
    fail_truncated(job, format);
}

struct BmpHeader {
  uint32_t offset = 0, header_bytes = 0, width = 0, height = 0, bits = 0, compression = 0;
};

BmpHeader read_bmp_header(const DecodeJob& job) {
  const Bytes file = job.file;
  BmpHeader h;
  if (file.size() < 26) fail_truncated(job, "BMP");
  h.offset = u32(file, 10);
  h.header_bytes = u32(file, 14);
  VIT_CHECK(h.header_bytes == 12 || h.header_bytes == 40 || h.header_bytes == 108 || h.header_bytes == 124, Code::kImage,
            job.name, ": expected a BMP with a header of 12, 40, 108 or 124 bytes, found ", h.header_bytes);
  if (file.size() < 14 + uint64_t{h.header_bytes}) fail_truncated(job, "BMP");
  if (h.header_bytes == 12) {
    h.width = u16(file, 18), h.height = u16(file, 20), h.bits = u16(file, 24);
    return h;
  }
  h.width = u32(file, 18), h.height = u32(file, 22), h.bits = u16(file, 28), h.compression = u32(file, 30);
  if (h.height > 0x80000000u) h.height = 0u - h.height;  // rows from the top
  return h;
}

/// Colour masks of one byte each, in any order: others would be scaled otherwise than Pillow does.
void check_bmp_masks(const DecodeJob& job) {
  if (job.file.size() < 66) fail_truncated(job, "BMP");
  for (size_t i = 54; i < 66; i += 4) {
    const uint32_t mask = u32(job.file, i);
    VIT_CHECK(mask == 0xff || mask == 0xff00 || mask == 0xff0000 || mask == 0xff000000u, Code::kImage, job.name,
              ": expected a BMP with colours of 8 bits, found another layout of bit fields");
  }
}

/// stb_image reads past a palette that is too short.
void check_bmp_indices(const DecodeJob& job, const BmpHeader& h, uint64_t row_bytes) {
  const uint32_t colours = (h.offset - 14 - h.header_bytes) / (h.header_bytes == 12 ? 3 : 4);
  if (colours >= (1u << h.bits)) return;
  const uint32_t per_byte = 8 / h.bits;
  for (uint64_t y = 0; y < h.height; ++y)
    for (uint64_t x = 0; x < h.width; ++x) {
      const uint32_t byte = job.file[h.offset + y * row_bytes + x / per_byte];
      const uint32_t index = byte >> (8 - h.bits * (x % per_byte + 1)) & ((1u << h.bits) - 1);
      if (index >= colours) fail_damaged(job, "BMP", str("a pixel names colour ", index, " of a palette of ", colours));
    }
}

struct TgaHeader {
  uint32_t id_bytes, palette_type, type, palette_start, palette_length, palette_bits, width, height, bits, flags;
  bool compressed() const { return type & 8; }
  uint32_t kind() const { return type & ~8u; }  ///< 1 palette, 2 colours, 3 gray
  uint32_t palette_bytes() const { return palette_type ? palette_length * (palette_bits / 8) : 0; }
};

constexpr size_t kTgaHeaderBytes = 18;

TgaHeader read_tga_header(Bytes f) {
  return {f[0], f[1], f[2], u16(f, 3), u16(f, 5), f[7], u16(f, 12), u16(f, 14), f[16], f[17]};
}

/// One number of a PNM header; blanks and comments before it are passed over. -1 at the end of the file or when it is no number.
int64_t read_pnm_number(Bytes file, size_t& at) {
  const auto blank = [](uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (at < file.size() && (blank(file[at]) || file[at] == '#')) {
    if (file[at] == '#')
      while (at < file.size() && file[at] != '\n' && file[at] != '\r') ++at;
    else
      ++at;
  }
  const char* const begin = reinterpret_cast<const char*>(file.data()) + at;
  const char* const end = begin + std::min<size_t>(10, file.size() - at);
  int64_t value = -1;
  if (begin == end || *begin == '-') return -1;
  const char* const stop = std::from_chars(begin, end, value).ptr;
  at += static_cast<size_t>(stop - begin);
  return at < file.size() && blank(file[at]) ? value : -1;
}

}  // namespace

Pixels decode_bmp(const DecodeJob& job) {
  const BmpHeader h = read_bmp_header(job);
  VIT_CHECK(h.compression == 0 || h.compression == 3, Code::kImage, job.name,
            ": expected an uncompressed BMP, found compression ", h.compression,
            h.compression == 1 || h.compression == 2 ? " (run lengths)" : "");
  VIT_CHECK(h.bits == 1 || h.bits == 4 || h.bits == 8 || h.bits == 24 || h.bits == 32, Code::kImage, job.name,
            ": expected a BMP of 1, 4, 8, 24 or 32 bits a pixel, found ", h.bits);
  VIT_CHECK(h.compression == 0 || h.bits == 32, Code::kImage, job.name,
            ": expected bit fields in a BMP of 32 bits a pixel, found ", h.bits);
  if (h.compression == 3) check_bmp_masks(job);
  if (h.offset < 14 + h.header_bytes) fail_damaged(job, "BMP", str("its pixels start inside its header, at byte ", h.offset));
  Pixels pixels = allocate_pixels(job, h.width, h.height);
  const uint64_t row_bytes = (uint64_t{h.width} * h.bits + 31) / 32 * 4;
  require_bytes(job, "BMP", h.offset, h.height, row_bytes, row_bytes - (uint64_t{h.width} * h.bits + 7) / 8);
  if (h.bits <= 8) check_bmp_indices(job, h, row_bytes);
  return load(job, "BMP", {{job.file, {}}}, std::move(pixels));
}

Pixels decode_pnm(const DecodeJob& job) {
  const uint8_t kind = job.file[1];
  VIT_CHECK(kind == '5' || kind == '6', Code::kImage, job.name, ": expected a binary PGM (P5) or PPM (P6), found P",
            static_cast<char>(kind));
  size_t at = 2;
  const int64_t width = read_pnm_number(job.file, at), height = read_pnm_number(job.file, at),
                white = read_pnm_number(job.file, at);
  if (width < 0 || height < 0 || white < 0) fail_damaged(job, "PNM", "its header is not three numbers");
  VIT_CHECK(white == 255, Code::kImage, job.name, ": expected a PNM of 8 bits a sample (maximum 255), found maximum ", white);
  Pixels pixels = allocate_pixels(job, static_cast<uint64_t>(width), static_cast<uint64_t>(height));
  const Bytes body = job.file.subspan(at + 1);
  require_bytes(job, "PNM", at + 1, static_cast<uint64_t>(height), static_cast<uint64_t>(width) * (kind == '6' ? 3 : 1));
  // A header of our own, so that only one parser decides what it says.
  const std::string header = str('P', static_cast<char>(kind), '\n', width, ' ', height, "\n255\n");
  return load(job, "PNM", {{{reinterpret_cast<const uint8_t*>(header.data()), header.size()}, body}}, std::move(pixels));
}

bool looks_like_tga(Bytes file) {
  if (file.size() < kTgaHeaderBytes) return false;
  const TgaHeader h = read_tga_header(file);
  const bool palette = h.kind() == 1;
  if (h.kind() < 1 || h.kind() > 3 || h.type > 11 || h.palette_type != (palette ? 1 : 0) || (h.flags & 0xc0)) return false;
  if (!palette && (h.palette_start || h.palette_length || h.palette_bits)) return false;
  if (palette && (h.bits != 8 || h.palette_length == 0)) return false;
  return h.width > 0 && h.height > 0 &&
         (h.bits == 1 || h.bits == 8 || h.bits == 15 || h.bits == 16 || h.bits == 24 || h.bits == 32);
}

Pixels decode_tga(const DecodeJob& job) {
  const TgaHeader h = read_tga_header(job.file);
  const bool readable = h.kind() == 1   ? h.palette_start == 0 && (h.palette_bits == 24 || h.palette_bits == 32)
                        : h.kind() == 2 ? h.bits == 24 || h.bits == 32
                                        : h.bits == 8 || h.bits == 16;
  VIT_CHECK(readable, Code::kImage, job.name, ": expected a TGA of gray, of 24 or 32 bits, or with such a palette, found kind ",
            h.type, ", ", h.bits, " bits a pixel and ", h.palette_bits, " in the palette");
  VIT_CHECK(!(h.flags & 0x10), Code::kImage, job.name, ": expected a TGA stored from left to right, found right to left");
  Pixels pixels = allocate_pixels(job, h.width, h.height);
  const uint64_t body = kTgaHeaderBytes + h.id_bytes + h.palette_bytes();
  // A packet of run lengths holds at most 128 pixels.
  const uint64_t row_bytes = h.compressed() ? 0 : uint64_t{h.width} * (h.bits / 8);
  require_bytes(job, "TGA", body, h.height, row_bytes);
  if (h.compressed()) require_bytes(job, "TGA", body, 1, uint64_t{h.width} * h.height / 128);
  return load(job, "TGA", {{job.file, {}}}, std::move(pixels));
}

}  // namespace vit
