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

/// The library's push reader: it stops at the last row, where the pull reader goes on to unpack whatever else the file may hold.
struct Png {
  png_structp read = nullptr;
  png_infop info = nullptr;
  const Pixels* pixels = nullptr;
  int last_pass = 0;      ///< of those that hold pixels
  bool complete = false;  ///< the last row has come
  bool ended = false;     ///< the file's end mark has come
  char message[200] = {};
  ~Png() { png_destroy_read_struct(&read, &info, nullptr); }
};

void on_error(png_structp read, png_const_charp message) {
  Png& png = *static_cast<Png*>(png_get_error_ptr(read));
  std::strncpy(png.message, message, sizeof(png.message) - 1);
  png_longjmp(read, 1);
}

void on_warning(png_structp, png_const_charp) {}

int last_pass_of(int64_t width, int64_t height) {
  int last = 0;
  for (int pass = 0; pass < 7; ++pass)
    if (PNG_PASS_COLS(static_cast<png_uint_32>(width), pass) > 0 && PNG_PASS_ROWS(static_cast<png_uint_32>(height), pass) > 0)
      last = pass;
  return last;
}

// The library calls these, and png_error() leaves them by longjmp(): they hold nothing that has a destructor.

/// Asks for what takes at most 3 bytes a pixel: palette indices and gray of up to 8 bits in 1 byte, 16-bit gray in 2, colours
/// in 3.
void on_header(png_structp read, png_infop info) {
  Png& png = *static_cast<Png*>(png_get_progressive_ptr(read));
  const int type = png_get_color_type(read, info), bits = png_get_bit_depth(read, info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(read);
  if (type == PNG_COLOR_TYPE_GRAY && bits < 8) png_set_expand_gray_1_2_4_to_8(read);
  if (type != PNG_COLOR_TYPE_GRAY && bits == 16) png_set_strip_16(read);  // keeps the high byte
  if (type & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(read);
  if (png_set_interlace_handling(read) == 7) png.last_pass = last_pass_of(png.pixels->width, png.pixels->height);
  png_read_update_info(read, info);
  if (png_get_image_width(read, info) != png.pixels->width || png_get_image_height(read, info) != png.pixels->height ||
      png_get_rowbytes(read, info) > static_cast<size_t>(png.pixels->width) * 3)
    png_error(read, "its rows are not as its header says");
}

void on_row(png_structp read, png_bytep row, png_uint_32 y, int pass) {
  Png& png = *static_cast<Png*>(png_get_progressive_ptr(read));
  if (row) png_progressive_combine_row(read, png.pixels->row(y), row);
  png.complete |= pass == png.last_pass && y + 1 == png.pixels->height;
}

void on_end(png_structp read, png_infop) { static_cast<Png*>(png_get_progressive_ptr(read))->ended = true; }

bool read_all(Png& png, Bytes file) {
  if (setjmp(png_jmpbuf(png.read))) return false;
  png_set_user_limits(png.read, PNG_UINT_31_MAX, PNG_UINT_31_MAX);             // allocate_pixels() has checked them
  png_set_keep_unknown_chunks(png.read, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // profiles, texts, times: not even unpacked
  png_set_progressive_read_fn(png.read, &png, on_header, on_row, on_end);
  png_process_data(png.read, png.info, const_cast<uint8_t*>(file.data()), file.size());
  return true;
}

using Palette = std::array<std::array<uint8_t, 3>, 256>;

/// The file's palette; colours that it lacks are black, as in Pillow.
Palette read_palette(const Png& png) {
  Palette palette{};
  png_colorp colors = nullptr;
  int count = 0;
  png_get_PLTE(png.read, png.info, &colors, &count);
  for (int i = 0; i < std::min(count, 256); ++i)
    palette[static_cast<size_t>(i)] = {colors[i].red, colors[i].green, colors[i].blue};
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
  VIT_CHECK(std::strcmp(png.message, "Out of memory") != 0, Code::kMemory, job.name, ": not enough memory to decode this PNG");
  if (png.message[0]) fail_damaged(job, "PNG", printable(png.message));
  if (png.ended) fail_damaged(job, "PNG", "it ends before its last row");
  fail_truncated(job, "PNG");
}

uint32_t big_endian(const uint8_t* at) { return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3]; }

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
  // The first chunk is the header: length, name, width, height.
  if (job.file.size() < 33) fail_truncated(job, "PNG");
  if (std::memcmp(job.file.data() + 12, "IHDR", 4) != 0) fail_damaged(job, "PNG", "it does not begin with its header");
  refuse_animation(job);
  Pixels pixels = allocate_pixels(job, big_endian(job.file.data() + 16), big_endian(job.file.data() + 20));
  Png png;
  png.pixels = &pixels;
  png.read = png_create_read_struct(PNG_LIBPNG_VER_STRING, &png, on_error, on_warning);
  png.info = png.read ? png_create_info_struct(png.read) : nullptr;
  VIT_CHECK(png.info, Code::kMemory, job.name, ": not enough memory to decode this PNG");
  if (!read_all(png, job.file) || !png.complete) fail(png, job);

  const int type = png_get_color_type(png.read, png.info), bits = png_get_bit_depth(png.read, png.info);
  const Palette palette = read_palette(png);
  for (int64_t y = 0; y < pixels.height; ++y) {
    uint8_t* const row = pixels.row(y);
    if (type == PNG_COLOR_TYPE_PALETTE)
      palette_to_rgb(row, pixels.width, palette);
    else if (type == PNG_COLOR_TYPE_GRAY && bits == 16)
      gray16_to_rgb(row, pixels.width);
    else if (!(type & PNG_COLOR_MASK_COLOR))
      gray_to_rgb(row, pixels.width);
  }
  return pixels;
}

}  // namespace vit
