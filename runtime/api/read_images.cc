// SPDX-License-Identifier: Apache-2.0
// From a vit_image, in whichever form it comes, to the pixels that the model sees.
#include <chrono>

#include "ops/kernel_table.h"
#include "runtime/api/handles.h"
#include "runtime/image/decode.h"
#include "runtime/image/preprocess.h"

namespace vit {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

constexpr size_t kLargestSide = 1 << 24;  // of a caller's pixels: keeps every product far below 2^63
constexpr size_t kLargestStride = size_t{1} << 32;

PixelFormat pixel_format(vit_pixel_format format) {
  switch (format) {
    case VIT_PIXELS_RGB: return PixelFormat::kRgb;
    case VIT_PIXELS_BGR: return PixelFormat::kBgr;
    case VIT_PIXELS_RGBA: return PixelFormat::kRgba;
    case VIT_PIXELS_BGRA: return PixelFormat::kBgra;
    case VIT_PIXELS_GRAY: return PixelFormat::kGray;
  }
  throw Error(Code::kArgument, str("format: unknown value ", static_cast<int>(format)));
}

Pixels callers_pixels(const vit_image& image, uint64_t max_pixels) {
  require(image.data, "data");
  VIT_CHECK(image.width <= kLargestSide && image.height <= kLargestSide, Code::kArgument, "width and height: expected at most ",
            kLargestSide, ", found ", image.width, " x ", image.height);
  VIT_CHECK(image.stride_bytes <= kLargestStride, Code::kArgument, "stride_bytes: expected at most ", kLargestStride, ", found ",
            image.stride_bytes);
  RawPixels raw;
  raw.data = static_cast<const uint8_t*>(image.data);
  raw.height = static_cast<int64_t>(image.height);
  raw.width = static_cast<int64_t>(image.width);
  raw.stride_bytes = static_cast<int64_t>(image.stride_bytes);
  raw.format = pixel_format(image.format);
  return to_rgb(raw, max_pixels);
}

/// Decoded and upright. With dct_scale `size` is set to what the whole picture is to be resized to.
Pixels decode(const vit_session& session, const vit_image& image, const std::string& name, std::optional<PixelSize>& size) {
  DecodeOptions options;
  if (session.dct_scale) options.needed = [&](PixelSize upright) { return *(size = session.recipe.resize.value.apply(upright)); };
  options.max_pixels = session.max_image_pixels;
  options.orientation = session.recipe.orientation.value;
  switch (image.kind) {
    case VIT_IMAGE_PATH: return read_image(image.path, options);
    case VIT_IMAGE_ENCODED:
      if (image.data_bytes != 0) require(image.data, "data");
      return decode_image({static_cast<const uint8_t*>(image.data), image.data_bytes}, name, options);
    case VIT_IMAGE_PIXELS:
    case VIT_IMAGE_PREPARED: return callers_pixels(image, session.max_image_pixels);
  }
  throw Error(Code::kArgument, str("kind: unknown value ", static_cast<int>(image.kind)));
}

}  // namespace

std::vector<Pixels> read_images(vit_session& session, std::span<const vit_image> images) {
  PreprocessOptions options;
  options.order = session.pillow_order == 13 ? PillowOrder::k13 : PillowOrder::kClassic;
  std::vector<Pixels> out;
  for (size_t i = 0; i < images.size(); ++i) {
    const vit_image image = known_fields(&images[i], "vit_image");
    if (image.kind == VIT_IMAGE_PATH) require(image.path, "path");
    const std::string name = image.kind == VIT_IMAGE_PATH ? std::string(image.path) : str("image ", i);
    const auto start = Clock::now();
    options.size.reset();
    Pixels upright = decode(session, image, name, options.size);
    const auto decoded = Clock::now();
    ++session.stages.images;
    session.stages.decode_us += microseconds(decoded - start);
    if (image.kind == VIT_IMAGE_PREPARED) {
      const ModelConfig& config = session.model->config();
      VIT_CHECK(upright.height >= config.patch_height && upright.width >= config.patch_width, Code::kImage, name,
                ": expected at least one patch of ", config.patch_height, " x ", config.patch_width, ", found ", upright.height,
                " x ", upright.width);
      out.push_back(std::move(upright));
      continue;
    }
    out.push_back(preprocess(upright.view(), session.recipe, options, kernels(session.session.isa()), name));
    session.stages.preprocess_us += microseconds(Clock::now() - decoded);
  }
  return out;
}

}  // namespace vit
