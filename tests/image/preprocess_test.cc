// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/preprocess.h"

#include "ops/core/error.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"
#include "tests/support/guarded.h"

namespace vit {
namespace {

Recipe crop_only(int64_t height, int64_t width) {
  Recipe recipe;
  recipe.crop.value = PixelSize{height, width};
  return recipe;
}

/// The value of pixel (y, x): distinct, so that every shift shows.
uint8_t value_at(int64_t y, int64_t x) { return static_cast<uint8_t>(1 + 16 * y + x); }

Pixels numbered(int64_t height, int64_t width) {
  Pixels pixels(height, width);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c) pixels.row(y)[3 * x + c] = value_at(y, x);
  return pixels;
}

TEST_CASE("a centre crop rounds down where it cuts and up where it pads", "[image]") {
  struct Case {
    int64_t size, crop, first_seen, zeros_before;
  };
  // The offsets that transformers' center_crop gives: (size - crop) // 2, and ceil((crop - size) / 2) zeros.
  for (const Case c : {Case{8, 5, 1, 0}, Case{9, 5, 2, 0}, Case{5, 5, 0, 0}, Case{5, 6, 0, 1}, Case{5, 7, 0, 1}, Case{5, 8, 0, 2},
                       Case{1, 10, 0, 5}}) {
    CAPTURE(c.size, c.crop);
    const Pixels picture = numbered(c.size, 3), turned = numbered(3, c.size);
    const KernelTable& table = kernels(usable_isas().front());
    const Pixels down = preprocess(picture.view(), crop_only(c.crop, 3), {}, table);
    const Pixels across = preprocess(turned.view(), crop_only(3, c.crop), {}, table);
    for (int64_t i = 0; i < c.crop; ++i) {
      const int64_t from = i - c.zeros_before + c.first_seen;
      const bool inside = i >= c.zeros_before && from < c.size;
      CHECK(down.row(i)[3] == (inside ? value_at(from, 1) : 0));
      CHECK(across.row(1)[3 * i] == (inside ? value_at(1, from) : 0));
    }
  }
}

TEST_CASE("a caller's pixels of every layout and stride become the same RGB", "[image]") {
  const int64_t height = 5, width = 7;
  const std::vector<uint8_t> rgb = generated(height * width * 3, 2);
  for (const PixelFormat format :
       {PixelFormat::kRgb, PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kBgra, PixelFormat::kGray})
    for (const int64_t spare : {0, 5}) {
      CAPTURE(static_cast<int>(format), spare);
      const bool gray = format == PixelFormat::kGray, swapped = format == PixelFormat::kBgr || format == PixelFormat::kBgra;
      const int64_t step = gray                                                         ? 1
                           : format == PixelFormat::kRgb || format == PixelFormat::kBgr ? 3
                                                                                        : 4,
                    stride = width * step + spare;
      Guarded<uint8_t> raw((height - 1) * stride + width * step, 1);
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          for (int64_t c = 0; c < std::min<int64_t>(step, 3); ++c)
            raw[y * stride + x * step + c] = rgb[static_cast<size_t>((y * width + x) * 3 + (swapped ? 2 - c : c))];
      const Pixels pixels = to_rgb({raw.data(), height, width, spare == 0 ? 0 : stride, format});
      bool equal = true;
      for (int64_t i = 0; i < height * width; ++i)
        for (int64_t c = 0; c < 3; ++c) equal &= pixels.data[3 * i + c] == rgb[static_cast<size_t>(3 * i + (gray ? 0 : c))];
      CHECK(equal);
    }
}

TEST_CASE("a caller's impossible pixels are refused", "[image]") {
  const uint8_t byte = 0;
  for (const RawPixels& raw :
       {RawPixels{nullptr, 1, 1, 0, PixelFormat::kRgb}, RawPixels{&byte, 0, 1, 0, PixelFormat::kRgb},
        RawPixels{&byte, 1, -1, 0, PixelFormat::kRgb}, RawPixels{&byte, 2, 2, 5, PixelFormat::kRgb},
        RawPixels{&byte, INT64_MAX, INT64_MAX, 0, PixelFormat::kRgba}, RawPixels{&byte, 1, 1, -3, PixelFormat::kRgb}}) {
    try {
      to_rgb(raw);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kArgument);
    }
  }
}

TEST_CASE("a picture that the recipe would make enormous is refused by its name", "[image]") {
  Recipe recipe;
  recipe.resize.value = {ResizeRule::kShortestEdge, 0, 0, 256, 0};
  const std::vector<uint8_t> line(65500 * 3);
  try {
    preprocess({line.data(), 1, 65500, 65500 * 3}, recipe, {}, kernels(usable_isas().front()), "thin.png");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kMemory);
    CHECK(std::string(error.what()) ==
          "thin.png: expected a picture that the model's preprocessing brings to at most 67108864 pixels, found one of 65500x1 "
          "that it would "
          "bring to 16768000x256");
  }
}

}  // namespace
}  // namespace vit
