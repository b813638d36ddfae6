// SPDX-License-Identifier: Apache-2.0
// Against what Pillow 12.1.1, Pillow 13.0.0 and transformers 5.23.0 made of the same files: equal bytes, no tolerance.
#include "runtime/image/preprocess.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"

namespace vit {
namespace {

TEST_CASE("files of every mode decode to Pillow's pixels", "[image]") {
  const bool upright = GENERATE(true, false);
  const std::vector<GoldenLine> lines = golden_lines("manifest.txt", upright ? "decode" : "stored");
  REQUIRE(lines.size() >= 80);
  for (const GoldenLine& line : lines) {
    CAPTURE(line.file);
    DecodeOptions options;
    options.orientation = upright ? Orientation::kApply : Orientation::kIgnore;
    CHECK(described(read_image(fixture_path(line.file), options)) == expected(line));
  }
}

TEST_CASE("resized pixels are Pillow's in both orders of the passes on every instruction set", "[image]") {
  const bool newest = GENERATE(false, true);
  const std::vector<GoldenLine> lines = golden_lines(newest ? "manifest13.txt" : "manifest.txt", "resize");
  REQUIRE(lines.size() >= 100);
  for (const Isa isa : usable_isas())
    for (const GoldenLine& line : lines) {
      CAPTURE(isa_name(isa), line.from_height, line.from_width, filter_name(line.filter));
      const std::vector<uint8_t> source = generated(line.from_height * line.from_width * 3, line.seed);
      ResizeJob job;
      job.image = {source.data(), line.from_height, line.from_width, line.from_width * 3};
      job.size = {line.height, line.width};
      job.rows = {0, line.height};
      job.columns = {0, line.width};
      job.filter = line.filter;
      job.order = newest ? PillowOrder::k13 : PillowOrder::kClassic;
      const Pixels result(line.height, line.width);
      resize(job, kernels(isa), result.data.data(), line.width * 3);
      CHECK(described(result) == expected(line));
    }
}

TEST_CASE("whole recipes give the pixels of transformers' processors", "[image]") {
  const std::vector<GoldenLine> lines = golden_lines("manifest.txt", "pixels");
  REQUIRE(lines.size() >= 50);
  for (const Isa isa : usable_isas())
    for (const GoldenLine& line : lines) {
      CAPTURE(isa_name(isa), line.file, line.json);
      const Recipe recipe = recipe_from_preprocessor(parse_json(line.json, "recipe"), "recipe", "vit");
      const Pixels image = read_image(fixture_path(line.file));
      CHECK(described(preprocess(image.view(), recipe, {}, kernels(isa))) == expected(line));
      CHECK(recipe.output_size({image.height, image.width}) == PixelSize{line.height, line.width});
    }
}

}  // namespace
}  // namespace vit
