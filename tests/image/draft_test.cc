// SPDX-License-Identifier: Apache-2.0
// JPEGs decoded at a fraction of their size.
#include <algorithm>
#include <cstdlib>

#include "ops/core/error.h"
#include "runtime/image/preprocess.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"

namespace vit {
namespace {

DecodeOptions with_need(PixelSize need) {
  DecodeOptions options;
  options.needed = [need](PixelSize) { return need; };
  return options;
}

TEST_CASE("a JPEG at a fraction has the size and the pixels of Pillow's draft", "[image]") {
  const std::vector<GoldenLine> lines = golden_lines("manifest.txt", "draft");
  REQUIRE(lines.size() >= 150);
  int64_t reduced = 0;
  for (const GoldenLine& line : lines) {
    CAPTURE(line.file, line.from_height, line.from_width);
    const Pixels pixels = read_image(fixture_path(line.file), with_need({line.from_height, line.from_width}));
    CHECK(described(pixels) == expected(line));
    CHECK((pixels.height >= line.from_height && pixels.width >= line.from_width));
    reduced += pixels.height < read_image(fixture_path(line.file)).height;
  }
  CHECK(reduced >= 90);
}

TEST_CASE("a pixel at an eighth is the mean of the 64 that it stands for", "[image]") {
  const Pixels all = read_image(fixture_path("jpeg_gray.jpg"));
  const Pixels eighth = read_image(fixture_path("jpeg_gray.jpg"), with_need({1, 1}));
  REQUIRE(eighth.height == (all.height + 7) / 8);
  int compared = 0;
  for (int64_t y = 0; 8 * y + 8 <= all.height; ++y)
    for (int64_t x = 0; 8 * x + 8 <= all.width; ++x) {
      int sum = 0, least = 255, most = 0;
      for (int64_t i = 0; i < 64; ++i) {
        const int value = all.row(8 * y + i / 8)[3 * (8 * x + i % 8)];
        sum += value;
        least = std::min(least, value);
        most = std::max(most, value);
      }
      if (least == 0 || most == 255) continue;  // may have been clipped, which the mean then shows
      // Both come from one coefficient; each of the 64 and the eighth are rounded by half a level at most.
      CHECK(std::abs(64 * eighth.row(y)[3 * x] - sum) <= 64);
      ++compared;
    }
  CHECK(compared >= 4);
}

TEST_CASE("what is needed is asked for an upright picture, of JPEGs alone", "[image]") {
  for (const std::string name : {"jpeg_exif_1.jpg", "jpeg_exif_5.jpg", "jpeg_exif_6.jpg", "png_exif_5.png", "webp_exif_7.webp"}) {
    CAPTURE(name);
    const Pixels all = read_image(fixture_path(name));
    std::vector<PixelSize> asked;
    DecodeOptions options;
    options.needed = [&](PixelSize upright) {
      asked.push_back(upright);
      return PixelSize{1, 1};
    };
    const Pixels pixels = read_image(fixture_path(name), options);
    if (name.ends_with(".jpg")) {
      CHECK(asked == std::vector<PixelSize>{{all.height, all.width}});
      CHECK(pixels.height == (all.height + 7) / 8);
    } else {
      CHECK(asked.empty());
      CHECK(described(pixels) == described(all));
    }
  }
}

TEST_CASE("limits are those of the whole picture", "[image]") {
  DecodeOptions options = with_need({1, 1});
  options.max_pixels = 23 * 37 - 1;
  CHECK_THROWS_AS(read_image(fixture_path("jpeg_444.jpg"), options), Error);
  ++options.max_pixels;
  CHECK(read_image(fixture_path("jpeg_444.jpg"), options).height == 3);
}

TEST_CASE("every rule of resize and crop ends with the size that the whole picture gets", "[image]") {
  const auto recipe_with = [](Resize resize, std::optional<PixelSize> crop) {
    Recipe recipe;
    recipe.resize.value = resize;
    recipe.crop.value = crop;
    recipe.filter.value = Filter::kBicubic;
    return recipe;
  };
  const PixelSize crop{20, 17};
  const std::vector<Recipe> recipes = {
      recipe_with({ResizeRule::kNone}, {}),
      recipe_with({ResizeRule::kNone}, crop),
      recipe_with({ResizeRule::kExact, 21, 22}, {}),
      recipe_with({ResizeRule::kExact, 3, 90}, {}),
      recipe_with({ResizeRule::kShortestEdge, 0, 0, 22}, {}),
      recipe_with({ResizeRule::kShortestEdge, 0, 0, 23}, crop),
      recipe_with({ResizeRule::kCover, 20, 31}, {}),
      recipe_with({ResizeRule::kEdges, 0, 0, 20, 24}, {}),
      recipe_with({ResizeRule::kPatches, 16, 16}, {}),
      recipe_with({ResizeRule::kFitInside, 29, 19}, {}),
      recipe_with({ResizeRule::kContain, 29, 19}, {}),
      recipe_with({ResizeRule::kContain, 5, 5}, crop),
  };
  const KernelTable& table = kernels(usable_isas().front());
  const Pixels all = read_image(fixture_path("photo.jpg"));
  REQUIRE((all.height == 91 && all.width == 120));
  int reduced = 0;
  for (const Recipe& recipe : recipes) {
    const PixelSize size = recipe.resize.value.apply({all.height, all.width});
    CAPTURE(recipe.to_json().dump());
    const Pixels some = read_image(fixture_path("photo.jpg"), with_need(size));
    CHECK((some.height >= std::min(size.height, all.height) && some.width >= std::min(size.width, all.width)));
    PreprocessOptions options;
    options.size = size;
    const Pixels near = preprocess(some.view(), recipe, options, table), exact = preprocess(all.view(), recipe, {}, table);
    REQUIRE((near.height == exact.height && near.width == exact.width));
    if (some.height == all.height) {
      CHECK(described(near) == described(exact));
      continue;
    }
    ++reduced;
    // The picture is a slope of at most 9 levels a pixel with noise of 16, and the colours wrap from 255 to 0 somewhere. A
    // reduced pixel stands up to 7/8 of its own width off where the sides are no multiples of it; a pixel of the result covers at
    // least as much as a reduced one, so both see the same neighbours, a few of which lie on a wrap.
    double sum = 0;
    for (int64_t i = 0; i < near.height * near.width * 3; ++i) sum += std::abs(near.data[i] - exact.data[i]);
    CHECK(sum / static_cast<double>(near.height * near.width * 3) < 16);
  }
  CHECK(reduced >= 7);
}

}  // namespace
}  // namespace vit
