// SPDX-License-Identifier: Apache-2.0
// PNG by libpng, without gamma and colour profiles.
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include <png.h>

#include "runtime/image/decoders.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

struct Png {
  png_structp read = nullptr;
  png_infop info = nullptr;
  Bytes rest;                 ///< not read yet
  bool truncated = false;     ///< the library asked for more than there is
  bool rows_done = false;
  int passes = 1;
  char message[200] = {};
  ~Png() { png_destroy_read_struct(&read, &info, nullptr); }
};

void on_error(png_structp read, png_const_charp message) {
  Png& png = *static_cast<Png*>(png_get_error_ptr(read));
  std::strncpy(png.message, message, sizeof(png.message) - 1);
  png_longjmp(read, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp read, png_bytep to, size_t bytes) {
  Png& png = *static_cast<Png*>(png_get_io_ptr(read));
  if (bytes > png.rest.size()) {
    png.truncated = true;
    png_error(read, "the file ends");
  }
  std::memcpy(to, png.rest.data(), bytes);
  png.rest = png.rest.subspan(bytes);
}

// The functions with setjmp() hold nothing that has a destructor.

bool read_header(Png& png) {
  if (setjmp(png_jmpbuf(png.read))) return false;
  png_set_read_fn(png.read, &png, read_bytes);
  png_set_user_limits(png.read, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the product is what allocate_pixels() checks
  png_set_keep_unknown_chunks(png.read, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // profiles, texts, times: not even unpacked
  png_read_info(png.read, png.info);
  return true;
}

/// Asks for what takes at most 3 bytes a pixel: palette indices and gray of up to 8 bits in 1 byte, 16-bit gray in 2, colours in 3.
bool choose_format(Png& png) {
  if (setjmp(png_jmpbuf(png.read))) return false;
  const int type = png_get_color_type(png.read, png.info), bits = png_get_bit_depth(png.read, png.info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(png.read);
  if (type == PNG_COLOR_TYPE_GRAY && bits < 8) png_set_expand_gray_1_2_4_to_8(png.read);
  if (type != PNG_COLOR_TYPE_GRAY && bits == 16) png_set_strip_16(png.read);  // keeps the high byte
  if (type & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png.read);
  png.passes = png_set_interlace_handling(png.read);
  png_read_update_info(png.read, png.info);
  return true;
}

bool read_rows(Png& png, uint8_t* rows, int64_t height, int64_t row_bytes) {
  if (setjmp(png_jmpbuf(png.read))) return png.rows_done && png.truncated;  // a missing end does not matter, a wrong checksum does
  for (int pass = 0; pass < png.passes; ++pass)
    for (int64_t y = 0; y < height; ++y) png_read_row(png.read, rows + y * row_bytes, nullptr);
  png.rows_done = true;
  png_read_end(png.read, nullptr);
  return true;
}

using Palette = std::array<std::array<uint8_t, 3>, 256>;

/// The file's palette; indices that it lacks stay gray, as in Pillow.
Palette read_palette(const Png& png) {
  Palette palette;
  for (size_t i = 0; i < 256; ++i) palette[i].fill(static_cast<uint8_t>(i));
  png_colorp colors = nullptr;
  int count = 0;
  png_get_PLTE(png.read, png.info, &colors, &count);
  for (int i = 0; i < std::min(count, 256); ++i) palette[static_cast<size_t>(i)] = {colors[i].red, colors[i].green, colors[i].blue};
  return palette;
}

void palette_to_rgb(uint8_t* row, int64_t width, const Palette& palette) {
  for (int64_t x = width - 1; x >= 0; --x) std::memcpy(row + 3 * x, palette[row[x]].data(), 3);
}

/// Pillow clips 16-bit gray at 255 instead of taking the high byte.
void gray16_to_rgb(uint8_t* row, int64_t width) {
  for (int64_t x = 0; x < width; ++x) row[x] = row[2 * x] ? 255 : row[2 * x + 1];
  gray_to_rgb(row, width);
}

[[noreturn]] void fail(const Png& png, const DecodeJob& job) {
  if (png.truncated) fail_truncated(job, "PNG");
  VIT_CHECK(std::strcmp(png.message, "Out of memory") != 0, Code::kMemory, job.name, ": not enough memory to decode this PNG");
  fail_damaged(job, "PNG", printable(png.message));
}

uint32_t big_endian(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

/// Throws when a chunk before the pixels announces several frames.
void refuse_animation(const DecodeJob& job) {
  for (Bytes at = job.file.subspan(std::min<size_t>(8, job.file.size())); at.size() >= 12;) {
    const uint64_t bytes = big_endian(at.data());
    if (std::memcmp(at.data() + 4, "IDAT", 4) == 0 || bytes + 12 > at.size()) return;
    if (std::memcmp(at.data() + 4, "acTL", 4) == 0 && bytes >= 4) {
      const uint32_t frames = big_endian(at.data() + 8);
      VIT_CHECK(frames <= 1 || frames > 0x80000000u, Code::kImage, job.name,
                ": expected a single picture, found an animated PNG (APNG) of ", frames, " frames");
    }
    at = at.subspan(static_cast<size_t>(bytes) + 12);
  }
}

}  // namespace

Pixels decode_png(const DecodeJob& job) {
  refuse_animation(job);
  Png png;
  png.rest = job.file;
  png.read = png_create_read_struct(PNG_LIBPNG_VER_STRING, &png, on_error, on_warning);
  png.info = png.read ? png_create_info_struct(png.read) : nullptr;
  VIT_CHECK(png.info, Code::kMemory, job.name, ": not enough memory to decode this PNG");
  if (!read_header(png)) fail(png, job);

  Pixels pixels = allocate_pixels(job, png_get_image_width(png.read, png.info), png_get_image_height(png.read, png.info));
  const int type = png_get_color_type(png.read, png.info), bits = png_get_bit_depth(png.read, png.info);
  const Palette palette = read_palette(png);
  if (!choose_format(png)) fail(png, job);
  VIT_CHECK(png_get_rowbytes(png.read, png.info) <= static_cast<size_t>(pixels.width) * 3, Code::kInternal, job.name,
            ": the PNG's rows are longer than expected");
  if (!read_rows(png, pixels.data.data(), pixels.height, pixels.width * 3)) fail(png, job);

  for (int64_t y = 0; y < pixels.height; ++y) {
    uint8_t* const row = pixels.row(y);
    if (type == PNG_COLOR_TYPE_PALETTE) palette_to_rgb(row, pixels.width, palette);
    else if (type == PNG_COLOR_TYPE_GRAY && bits == 16) gray16_to_rgb(row, pixels.width);
    else if (!(type & PNG_COLOR_MASK_COLOR)) gray_to_rgb(row, pixels.width);
  }
  return pixels;
}

}  // namespace vit
