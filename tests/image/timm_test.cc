// SPDX-License-Identifier: Apache-2.0
// timm's evaluation transform, from a pretrained_cfg to the pixels.
#include "ops/kernel_table.h"
#include "runtime/image/preprocess.h"
#include "runtime/io/json_fields.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"

namespace vit {
namespace {

struct TimmCase {
  PixelSize from, to;
  double crop_pct;
  const char *crop_mode, *interpolation;
  uint32_t crc;  ///< of the result's bytes [height, width, 3]
};

TEST_CASE("each crop mode of timm gives the pixels that Pillow gives", "[image]") {
  // Printed by tests/goldens/make_timm_recipes.py with Pillow 12.1.1.
  const TimmCase cases[] = {
      {{213, 320}, {24, 24}, 0.9, "center", "bicubic", 0x19b6bd43},
      {{320, 213}, {24, 24}, 0.875, "center", "bilinear", 0x1499742b},
      {{19, 23}, {24, 24}, 1.0, "center", "lanczos", 0x53b00a6b},
      {{97, 113}, {20, 33}, 0.95, "center", "bicubic", 0x4b4180df},
      {{113, 40}, {33, 20}, 0.875, "center", "hamming", 0x4977fc5b},
      {{61, 47}, {24, 30}, 0.9, "squash", "bicubic", 0xc0c5265d},
      {{47, 61}, {24, 24}, 1.0, "squash", "box", 0x3a42bbc4},
      {{213, 320}, {24, 24}, 0.9, "border", "bicubic", 0xb54c1968},
      {{90, 31}, {20, 33}, 1.0, "border", "bilinear", 0x8c821942},
      {{31, 90}, {33, 20}, 0.965, "border", "nearest", 0xe4c387c5},
  };
  for (const TimmCase& c : cases) {
    Json cfg = Json::object();
    cfg["input_size"] = {3, c.to.height, c.to.width};
    cfg["mean"] = {0.485, 0.456, 0.406};
    cfg["crop_pct"] = c.crop_pct;
    cfg["crop_mode"] = c.crop_mode;
    cfg["interpolation"] = c.interpolation;
    const std::vector<uint8_t> rgb =
        generated(c.from.height * c.from.width * 3, static_cast<uint32_t>(c.from.height * 1000 + c.from.width));
    const Pixels out = preprocess({rgb.data(), c.from.height, c.from.width, c.from.width * 3},
                                  recipe_from_timm(JsonFields(cfg, "cfg"), 3), {}, kernels(choose_isa("")));
    CAPTURE(c.from.height, c.from.width, c.crop_mode, c.interpolation);
    REQUIRE(out.height == c.to.height);
    REQUIRE(out.width == c.to.width);
    CHECK(crc32(out.data) == c.crc);
  }
}

}  // namespace
}  // namespace vit
