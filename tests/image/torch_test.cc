// SPDX-License-Identifier: Apache-2.0
// torch's resize of 8-bit pictures, which transformers' tensor processors use: equal bytes on every instruction set.
#include "ops/core/error.h"
#include "ops/kernel_table.h"
#include "runtime/image/preprocess.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"

namespace vit {
namespace {

struct TorchResize {
  PixelSize from, to;
  Filter filter;
  uint32_t crc;  ///< of the result's bytes [height, width, 3]
};

/// Printed by tests/goldens/make_torch_resize.py with torch 2.13.0.
const std::vector<TorchResize>& cases() {
  static const std::vector<TorchResize> all = {
      {{7, 11}, {4, 5}, Filter::kBilinear, 0x34485a7a},        {{7, 11}, {4, 5}, Filter::kBicubic, 0x50f10ff3},
      {{7, 11}, {4, 5}, Filter::kNearest, 0x1b8dedba},         {{7, 11}, {9, 16}, Filter::kBilinear, 0xdc0972de},
      {{7, 11}, {9, 16}, Filter::kBicubic, 0xc7d7d3e6},        {{7, 11}, {9, 16}, Filter::kNearest, 0xd2459633},
      {{213, 320}, {224, 224}, Filter::kBilinear, 0xaa3b62e9}, {{213, 320}, {224, 224}, Filter::kBicubic, 0x3bfcc749},
      {{213, 320}, {224, 224}, Filter::kNearest, 0x2a1c63f0},  {{213, 320}, {50, 75}, Filter::kBilinear, 0x8f257067},
      {{213, 320}, {50, 75}, Filter::kBicubic, 0xa095dd21},    {{213, 320}, {50, 75}, Filter::kNearest, 0xaf04e03c},
      {{320, 213}, {224, 224}, Filter::kBilinear, 0x8fe88184}, {{320, 213}, {224, 224}, Filter::kBicubic, 0xfa29db93},
      {{320, 213}, {224, 224}, Filter::kNearest, 0x4d7a87de},  {{61, 47}, {61, 20}, Filter::kBilinear, 0xda1a19e4},
      {{61, 47}, {61, 20}, Filter::kBicubic, 0xb57ab3cd},      {{61, 47}, {61, 20}, Filter::kNearest, 0x8a743d30},
      {{61, 47}, {20, 47}, Filter::kBilinear, 0x75976707},     {{61, 47}, {20, 47}, Filter::kBicubic, 0x9a8e1b26},
      {{61, 47}, {20, 47}, Filter::kNearest, 0x0a8086a1},      {{3, 200}, {12, 9}, Filter::kBilinear, 0x1cf0c1f7},
      {{3, 200}, {12, 9}, Filter::kBicubic, 0xf4a60756},       {{3, 200}, {12, 9}, Filter::kNearest, 0x85875b2c},
      {{1, 9}, {5, 4}, Filter::kBilinear, 0x05401264},         {{1, 9}, {5, 4}, Filter::kBicubic, 0xea46059e},
      {{1, 9}, {5, 4}, Filter::kNearest, 0x489a7fa4},          {{40, 1}, {17, 3}, Filter::kBilinear, 0xd2e79ff9},
      {{40, 1}, {17, 3}, Filter::kBicubic, 0xc003318d},        {{40, 1}, {17, 3}, Filter::kNearest, 0x47d7bf44},
      {{97, 113}, {32, 32}, Filter::kBilinear, 0x60842fa4},    {{97, 113}, {32, 32}, Filter::kBicubic, 0x4a584014},
      {{97, 113}, {32, 32}, Filter::kNearest, 0xceacc41e},     {{500, 10}, {33, 33}, Filter::kBilinear, 0x661d9b52},
      {{500, 10}, {33, 33}, Filter::kBicubic, 0x66af8c28},     {{500, 10}, {33, 33}, Filter::kNearest, 0x8baea694},
  };
  return all;
}

Recipe torch_recipe(const TorchResize& c) {
  Recipe recipe = default_recipe("vit", c.to.height, c.to.width);
  recipe.filter.value = c.filter;
  recipe.resampler.value = Resampler::kTorch;
  return recipe;
}

TEST_CASE("torch's bytes come out on every instruction set", "[image]") {
  for (const Isa isa : usable_isas())
    for (const TorchResize& c : cases()) {
      const std::vector<uint8_t> rgb =
          generated(c.from.height * c.from.width * 3, static_cast<uint32_t>(c.from.height * 1000 + c.from.width));
      const Pixels out =
          preprocess({rgb.data(), c.from.height, c.from.width, c.from.width * 3}, torch_recipe(c), {}, kernels(isa));
      CAPTURE(isa_name(isa), c.from.height, c.from.width, c.to.height, c.to.width, filter_name(c.filter));
      CHECK(crc32(out.data) == c.crc);
    }
}

TEST_CASE("a crop of torch's resize is a part of the whole", "[image]") {
  const std::vector<uint8_t> rgb = generated(61 * 90 * 3, 5);
  const PixelView image{rgb.data(), 61, 90, 90 * 3};
  Recipe recipe = torch_recipe({{61, 90}, {40, 33}, Filter::kBicubic, 0});
  const Pixels whole = preprocess(image, recipe, {}, kernels(choose_isa("")));
  recipe.crop.value = PixelSize{21, 8};
  const Pixels part = preprocess(image, recipe, {}, kernels(choose_isa("")));
  for (int64_t y = 0; y < 21; ++y)
    for (int64_t x = 0; x < 8 * 3; ++x) REQUIRE(part.row(y)[x] == whole.row(y + 9)[x + 12 * 3]);
}

TEST_CASE("zeros before a small picture are rounded down by tensor processors, and up by Pillow's", "[image]") {
  const std::vector<uint8_t> rgb(3, 200);
  Recipe recipe = torch_recipe({{1, 1}, {1, 1}, Filter::kBilinear, 0});
  recipe.crop.value = PixelSize{4, 6};
  const Pixels torch = preprocess({rgb.data(), 1, 1, 3}, recipe, {}, kernels(choose_isa("")));
  CHECK(torch.row(1)[2 * 3] == 200);
  recipe.resampler.value = Resampler::kPillow;
  const Pixels pillow = preprocess({rgb.data(), 1, 1, 3}, recipe, {}, kernels(choose_isa("")));
  CHECK(pillow.row(2)[3 * 3] == 200);
}

TEST_CASE("the class's suffix chooses whose resize is copied", "[image]") {
  const auto resampler = [](const std::string& name, int resample) {
    Json config = Json::object();
    config["image_processor_type"] = name;
    config["resample"] = resample;
    return recipe_from_preprocessor(config, "p", "vit").resampler.value;
  };
  for (const char* stem : {"ViT", "DeiT", "Bit"}) {
    const std::string name = str(stem, "ImageProcessor");
    for (const int both : {0, 2, 3}) CHECK(resampler(name + "Fast", both) == Resampler::kTorch);
    for (const int pillow_only : {1, 4, 5}) CHECK(resampler(name + "Fast", pillow_only) == Resampler::kPillow);
    CHECK(resampler(name, 3) == Resampler::kPillow);
    CHECK(resampler(name + "Pil", 3) == Resampler::kPillow);
  }
}

}  // namespace
}  // namespace vit
