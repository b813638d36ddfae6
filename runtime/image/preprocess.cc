// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/preprocess.h"

#include <algorithm>
#include <cstring>

#include "ops/core/checked.h"
#include "ops/core/error.h"

namespace vit {
namespace {

/// One axis of the crop: which part of the resized picture is seen, and where it lands.
struct CropAxis {
  AxisWindow seen;
  int64_t offset = 0;  ///< zeros before it
};

/// transformers' center_crop: half of the surplus, rounded down, is cut before; half of what is missing, rounded up, is added
/// before. torchvision's: rounded to even, and down.
CropAxis crop_axis(int64_t size, int64_t crop, CropStyle::Middle middle) {
  const bool even = middle == CropStyle::Middle::kNearestEven;
  if (size >= crop) {
    const int64_t surplus = size - crop, begin = surplus / 2 + (even && surplus % 4 == 3 ? 1 : 0);
    return {{begin, begin + crop}, 0};
  }
  return {{0, size}, even ? (crop - size) / 2 : ceil_div(crop - size, 2)};
}

void fill(Pixels& pixels, const std::array<uint8_t, 3>& colour) {
  if (colour == std::array<uint8_t, 3>{}) return;
  for (int64_t i = 0; i < pixels.height * pixels.width; ++i) std::copy(colour.begin(), colour.end(), pixels.data.data() + 3 * i);
}

void copy_row(const uint8_t* from, PixelFormat format, int64_t width, uint8_t* to) {
  const bool swap = format == PixelFormat::kBgr || format == PixelFormat::kBgra;
  const bool gray = format == PixelFormat::kGray;
  const int red = gray ? 0 : swap ? 2 : 0, green = gray ? 0 : 1, blue = gray ? 0 : swap ? 0 : 2;
  const int64_t step = gray ? 1 : format == PixelFormat::kRgba || format == PixelFormat::kBgra ? 4 : 3;
  for (int64_t x = 0; x < width; ++x, from += step, to += 3) {
    to[0] = from[red];
    to[1] = from[green];
    to[2] = from[blue];
  }
}

int64_t bytes_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::kGray: return 1;
    case PixelFormat::kRgba:
    case PixelFormat::kBgra: return 4;
    case PixelFormat::kRgb:
    case PixelFormat::kBgr: break;
  }
  return 3;
}

}  // namespace

Pixels preprocess(const PixelView& image, const Recipe& recipe, const PreprocessOptions& options, const KernelTable& kernels,
                  const std::string& name) {
  VIT_CHECK(image.data && image.height > 0 && image.width > 0, Code::kImage, name,
            ": expected a picture of at least 1x1 pixels, found ", image.width, "x", image.height);
  ResizeJob job;
  job.image = image;
  job.size = options.size.value_or(recipe.resize.value.apply({image.height, image.width}));
  job.filter = recipe.filter.value;
  job.resampler = recipe.resampler.value;
  job.order = options.order;
  const PixelSize output = recipe.crop.value.value_or(job.size);
  uint64_t count = 0;
  VIT_CHECK(mul_ok(static_cast<uint64_t>(output.height), static_cast<uint64_t>(output.width), &count) &&
                count <= options.max_output_pixels,
            Code::kMemory, name, ": expected a picture that the model's preprocessing brings to at most ",
            options.max_output_pixels, " pixels, found one of ", image.width, "x", image.height, " that it would bring to ",
            output.width, "x", output.height);

  const CropStyle& style = recipe.crop_style;
  CropAxis rows = crop_axis(job.size.height, output.height, style.middle),
           columns = crop_axis(job.size.width, output.width, style.middle);
  if (job.resampler == Resampler::kTorch) {  // its processors round the zeros before the picture down
    rows.offset = std::max(int64_t{0}, (output.height - job.size.height) / 2);
    columns.offset = std::max(int64_t{0}, (output.width - job.size.width) / 2);
  }
  job.rows = rows.seen;
  job.columns = columns.seen;
  Pixels pixels(output.height, output.width);
  fill(pixels, style.fill);
  try {
    resize(job, kernels, pixels.row(rows.offset) + 3 * columns.offset, 3 * output.width);
  } catch (const Error& error) {
    throw Error(error.code(), str(name, ": ", error.what()));
  }
  return pixels;
}

Pixels to_rgb(const RawPixels& raw, uint64_t max_pixels) {
  VIT_CHECK(raw.data, Code::kArgument, "pixels: expected a pointer, found none");
  VIT_CHECK(raw.height > 0 && raw.width > 0, Code::kArgument, "pixels: expected a picture of at least 1x1 pixels, found ",
            raw.width, "x", raw.height);
  uint64_t count = 0, row_bytes = 0;
  const uint64_t height = static_cast<uint64_t>(raw.height), width = static_cast<uint64_t>(raw.width);
  VIT_CHECK(mul_ok(height, width, &count) && count <= max_pixels &&
                mul_ok(width, static_cast<uint64_t>(bytes_of(raw.format)), &row_bytes),
            Code::kArgument, "pixels: expected at most ", max_pixels, " of them, found ", raw.width, "x", raw.height);
  const int64_t stride = raw.stride_bytes == 0 ? static_cast<int64_t>(row_bytes) : raw.stride_bytes;
  VIT_CHECK(stride >= static_cast<int64_t>(row_bytes), Code::kArgument, "pixels: expected a stride of at least ", row_bytes,
            " bytes, found ", stride);
  Pixels pixels(raw.height, raw.width);
  for (int64_t y = 0; y < raw.height; ++y) copy_row(raw.data + y * stride, raw.format, raw.width, pixels.row(y));
  return pixels;
}

}  // namespace vit
