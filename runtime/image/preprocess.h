// SPDX-License-Identifier: Apache-2.0
// From a picture to the 8-bit pixels that a model's recipe asks for.
#pragma once

#include <optional>
#include <string>

#include "runtime/image/decode.h"
#include "runtime/image/pixels.h"
#include "runtime/image/recipe.h"
#include "runtime/image/resize.h"

namespace vit {

struct PreprocessOptions {
  PillowOrder order = PillowOrder::kClassic;
  /// What the whole picture is resized to; nothing: what the recipe makes of its size. For a picture that was decoded at a
  /// fraction.
  std::optional<PixelSize> size = {};
  /// Of the result, whose size depends on the picture in recipes without crop.
  uint64_t max_output_pixels = uint64_t{kMaxRecipeSide} * kMaxRecipeSide;
};

/// Resize and centre crop of an upright RGB picture: [height, width, 3], equal to Pillow's bytes. Only what the crop needs is
/// computed. A picture smaller than the crop gets the recipe's colour (black) around it. `name` starts the
/// sentence of an Error(kImage, kMemory).
Pixels preprocess(const PixelView& image, const Recipe& recipe, const PreprocessOptions& options, const KernelTable& kernels,
                  const std::string& name = "image");

/// The layout of a caller's pixels, 8 bits a channel.
enum class PixelFormat { kRgb, kBgr, kRgba, kBgra, kGray };

/// Decoded pixels of a caller.
struct RawPixels {
  const uint8_t* data = nullptr;
  int64_t height = 0, width = 0;
  int64_t stride_bytes = 0;  ///< from a row to the next; 0: rows are adjacent
  PixelFormat format = PixelFormat::kRgb;
};

/// Copies a caller's pixels to RGB; alpha is dropped without blending, gray replicated. Throws Error(kArgument) for no data,
/// sizes that are not positive or pass `max_pixels`, and a stride that is less than a row.
Pixels to_rgb(const RawPixels& raw, uint64_t max_pixels = DecodeOptions{}.max_pixels);

}  // namespace vit
