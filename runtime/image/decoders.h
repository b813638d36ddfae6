// SPDX-License-Identifier: Apache-2.0
// What decode.cc calls: one decoder per library. Each is the only file that includes its library's header.
#pragma once

#include <functional>
#include <string>

#include "ops/core/error.h"
#include "ops/core/file.h"
#include "runtime/image/pixels.h"
#include "runtime/image/recipe.h"

namespace vit {

struct DecodeJob {
  Bytes file;
  std::string name;  ///< for sentences
  uint64_t max_pixels = 0, max_side = 0;
  /// Sides that suffice for a picture stored with these sides; empty: all that there are.
  std::function<PixelSize(PixelSize stored)> needed = {};
};

Pixels decode_jpeg(const DecodeJob& job);
Pixels decode_png(const DecodeJob& job);
Pixels decode_webp(const DecodeJob& job);
Pixels decode_bmp(const DecodeJob& job);
Pixels decode_pnm(const DecodeJob& job);
Pixels decode_tga(const DecodeJob& job);

/// Whether a file without a signature has the header of a TGA image.
bool looks_like_tga(Bytes file);

/// Throws Error(kImage) when a side that the header says is 0 or passes a limit.
void check_size(const DecodeJob& job, uint64_t width, uint64_t height);
/// Room for a picture whose header says width x height, once checked.
Pixels allocate_pixels(const DecodeJob& job, uint64_t width, uint64_t height);

/// Throws Error(kImage): "NAME: truncated JPEG: expected ..., the file ends after N bytes".
[[noreturn]] void fail_truncated(const DecodeJob& job, const char* format);
/// Throws Error(kImage): "NAME: damaged JPEG: WHY".
[[noreturn]] void fail_damaged(const DecodeJob& job, const char* format, const std::string& why);

/// Spreads the first `width` bytes of a row of 3 * width to gray RGB pixels.
inline void gray_to_rgb(uint8_t* row, int64_t width) {
  for (int64_t x = width - 1; x >= 0; --x) row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = row[x];
}

}  // namespace vit
