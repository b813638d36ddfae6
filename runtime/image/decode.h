// SPDX-License-Identifier: Apache-2.0
// Image files to 8-bit RGB, with the pixels that Pillow gives.
#pragma once

#include <functional>
#include <string>

#include "ops/core/file.h"
#include "runtime/image/pixels.h"
#include "runtime/image/recipe.h"

namespace vit {

struct DecodeOptions {
  /// Of width x height as the file's header has them, checked before anything is allocated. The default is where Pillow sees a
  /// decompression bomb.
  uint64_t max_pixels = 178'956'970;
  /// Of either side: libpng's own default. Rows of one pixel cost more time than their pixels.
  uint64_t max_side = 1'000'000;
  uint64_t max_file_bytes = uint64_t{256} << 20;
  Orientation orientation = Orientation::kApply;
  /// What will be made of an upright picture of this size. Set: a JPEG is decoded at 1/2, 1/4 or 1/8, the smallest of them at
  /// which neither side is below the answer, as Pillow's Image.draft() does. Its pixels are other ones than the resize would make
  /// of all.
  std::function<PixelSize(PixelSize upright)> needed = {};
};

/// Decodes JPEG, PNG, WebP, BMP, PNM or TGA, told apart by content. `name` starts the sentence of an Error(kImage): other and
/// animated formats are refused by name, truncated and damaged files where Pillow raises.
///
/// Memory at the peak, beside the file itself: 3 bytes a pixel for the result; 3 more while an orientation that swaps the axes is
/// applied; and the decoder's own: some rows (sequential JPEG, PNG), 2 bytes a stored sample (progressive JPEG: 6 a pixel at most
/// for three components), 4 bytes a pixel (WebP, BMP, TGA). So 537 MB of pixels and 1.1 GB in all for the largest picture of the
/// default limit.
Pixels decode_image(Bytes file, const std::string& name, const DecodeOptions& options = {});

/// The same for a path; "-" is standard input. Throws Error(kIo) when it cannot be read.
Pixels read_image(const std::string& path, const DecodeOptions& options = {});

}  // namespace vit
