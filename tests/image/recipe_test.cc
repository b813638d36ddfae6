// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/recipe.h"

#include "ops/core/error.h"
#include "tests/catch.h"

namespace vit {
namespace {

Recipe read(const std::string& json, const std::string& family = "vit") {
  return recipe_from_preprocessor(parse_json(json, "preprocessor_config.json"), "preprocessor_config.json", family);
}

std::string refusal(const std::string& json) {
  try {
    read(json);
  } catch (const Error& error) {
    return error.code() == Code::kModel ? error.what() : "not a model's error";
  }
  return "";
}

TEST_CASE("what a preprocessor leaves out is its class's, under each of its names", "[image]") {
  for (const char* suffix : {"ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"})
    for (const char* key : {"image_processor_type", "feature_extractor_type"}) {
      CAPTURE(suffix, key);
      const auto of = [&](const std::string& stem) { return read("{\"" + std::string(key) + "\":\"" + stem + suffix + "\"}"); };
      const Recipe vit = of("ViT"), deit = of("DeiT"), bit = of("Bit");
      CHECK(vit.resize.value.rule == ResizeRule::kExact);
      CHECK(vit.fixed_size() == PixelSize{224, 224});
      CHECK(vit.filter.value == Filter::kBilinear);
      CHECK(!vit.crop.value);
      CHECK(vit.mean.value == std::array{0.5, 0.5, 0.5});
      CHECK(vit.resize.origin == std::string("default of ViT") + suffix);
      CHECK(deit.resize.value.height == 256);
      CHECK(deit.filter.value == Filter::kBicubic);
      CHECK(deit.fixed_size() == PixelSize{224, 224});
      CHECK(bit.resize.value.rule == ResizeRule::kShortestEdge);
      CHECK(bit.resize.value.shortest == 224);
      CHECK(bit.mean.value[2] == 0.40821073);
      CHECK(bit.std.value[0] == 0.26862954);
      CHECK(bit.rescale.value == 1.0 / 255);
    }
}

TEST_CASE("a preprocessor without a class name is read as the family's own", "[image]") {
  CHECK(read("{\"size\":224}").resize.value.rule == ResizeRule::kExact);
  CHECK(read("{\"size\":224}", "dinov2").resize.value.rule == ResizeRule::kShortestEdge);
  CHECK(read("{\"size\":224}", "dinov2_with_registers").resize.value.shortest == 224);
  CHECK(read("{}").resize.origin == "default of ViTImageProcessor");
}

TEST_CASE("switches turn steps off and say so", "[image]") {
  const Recipe off = read(R"({"do_resize":false,"do_rescale":false,"do_normalize":false,"size":null,"image_mean":null})");
  CHECK(off.resize.value.rule == ResizeRule::kNone);
  CHECK(off.resize.origin == "preprocessor_config.json: do_resize");
  CHECK(off.rescale.value == 1);
  CHECK(off.std.value[1] == 1);
  CHECK(off.mean.origin == "preprocessor_config.json: do_normalize");
  CHECK(!off.fixed_size());
  const Recipe no_crop = read(R"({"image_processor_type":"BitImageProcessor","do_center_crop":false})");
  CHECK(!no_crop.crop.value);
  CHECK(no_crop.crop.origin == "preprocessor_config.json: do_center_crop");
}

TEST_CASE("a field of the file goes before the class's and is named as the origin", "[image]") {
  const Recipe r =
      read(R"({"size":{"height":30,"width":40},"resample":1,"image_mean":[0.1,0.2,0.3],"image_std":0.4,"rescale_factor":0.5,
                            "crop_pct":0.9,"do_center_crop":true,"crop_size":[20,10]})");
  CHECK(r.resize.value.height == 30);
  CHECK(r.resize.value.width == 40);
  CHECK(r.fixed_size() == PixelSize{20, 10});
  CHECK(r.filter.value == Filter::kLanczos);
  CHECK(r.std.value == std::array{0.4, 0.4, 0.4});
  CHECK(r.resize.origin == "preprocessor_config.json: size");
  const Normalisation n = r.normalisation();
  CHECK(n.scale[0] == 0.5 / 0.4);
  CHECK(n.shift[2] == -0.3 / 0.4);
  const Json json = r.to_json();
  CHECK(json["resize"]["value"].dump() == R"({"height":30,"width":40})");
  CHECK(json["filter"]["value"] == "lanczos");
  CHECK(json["mean"]["origin"] == "preprocessor_config.json: image_mean");
  CHECK(json.begin().key() == "orientation");
}

TEST_CASE("a hostile preprocessor is refused by the name of its field", "[image]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"image_processor_type":"CLIPImageProcessor"})",
       "image_processor_type: expected a ViT, DeiT or Bit image processor, found \"CLIPImageProcessor\""},
      {R"({"image_processor_type":"ViTImageProcessorXL"})", "image_processor_type"},
      {R"({"image_processor_type":7})", "image_processor_type"},
      {R"({"size":0})", "size"},
      {R"({"size":-224})", "size"},
      {R"({"size":224.5})", "size"},
      {R"({"size":"224"})", "size"},
      {R"({"size":true})", "size"},
      {R"({"size":100000})", "size"},
      {R"({"size":[1,2,3]})", "size"},
      {R"({"size":{}})", "size"},
      {R"({"size":{"height":224}})", "size"},
      {R"({"size":{"height":224,"width":0}})", "size.width"},
      {R"({"size":{"height":null,"width":4}})", "size.height"},
      {R"({"size":{"shortest_edge":-1}})", "size.shortest_edge"},
      {R"({"size":{"longest_edge":10}})", "size"},
      {R"({"do_center_crop":true})", "crop_size"},
      {R"({"do_center_crop":1,"crop_size":4})", "do_center_crop"},
      {R"({"crop_size":{"shortest_edge":4}})", "crop_size"},
      {R"({"resample":6})", "resample"},
      {R"({"resample":-1})", "resample"},
      {R"({"resample":"bicubic"})", "resample"},
      {R"({"image_std":[0.5,0,0.5]})", "image_std"},
      {R"({"image_std":[0.5,0.5]})", "image_std"},
      {R"({"image_std":[0.5,-0.5,0.5]})", "image_std"},
      {R"({"image_std":1e-300})", "image_std"},
      {R"({"image_mean":[0.5,"a",0.5]})", "image_mean"},
      {R"({"image_mean":[1e300,0,0]})", "image_mean"},
      {R"({"rescale_factor":0})", "rescale_factor"},
      {R"({"do_rescale":"yes"})", "do_rescale"},
      {R"({"do_pad":true})", "do_pad"},
      {R"([])", "expected a JSON object"},
  };
  for (const auto& [json, field] : cases) {
    CAPTURE(json);
    CHECK(refusal(json).find("preprocessor_config.json: " + field) == 0);
  }
  CHECK_THROWS_AS(read(R"({"image_mean":[NaN,0,0]})"), Error);
}

TEST_CASE("sizes follow the aspect ratio as transformers rounds it", "[image]") {
  const auto apply = [](ResizeRule rule, int64_t a, int64_t b, PixelSize image) {
    const bool edges = rule == ResizeRule::kShortestEdge || rule == ResizeRule::kEdges;
    return (edges ? Resize{rule, 0, 0, a, b} : Resize{rule, a, b, 0, 0}).apply(image);
  };
  CHECK(apply(ResizeRule::kShortestEdge, 256, 0, {375, 500}) == PixelSize{256, 341});
  CHECK(apply(ResizeRule::kShortestEdge, 256, 0, {500, 375}) == PixelSize{341, 256});
  CHECK(apply(ResizeRule::kShortestEdge, 256, 0, {1, 65500}) == PixelSize{256, 16768000});
  CHECK(apply(ResizeRule::kEdges, 800, 1333, {480, 640}) == PixelSize{800, 1066});
  CHECK(apply(ResizeRule::kEdges, 800, 1333, {300, 900}) == PixelSize{444, 1333});
  CHECK(apply(ResizeRule::kEdges, 800, 1333, {900, 320}) == PixelSize{1333, 474});
  CHECK(apply(ResizeRule::kEdges, 480, 1333, {480, 640}) == PixelSize{480, 640});
  CHECK(apply(ResizeRule::kFitInside, 50, 50, {100, 200}) == PixelSize{25, 50});
  CHECK(apply(ResizeRule::kFitInside, 200, 500, {100, 200}) == PixelSize{200, 400});
  CHECK(apply(ResizeRule::kFitInside, 1, 1, {1, 1000}) == PixelSize{1, 1});
}

TEST_CASE("models without a preprocessor get their family's recipe", "[image]") {
  const Recipe deit = default_recipe("deit", 384, 224);
  CHECK(deit.resize.value.height == 439);  // 384 * 256 / 224 = 438.9
  CHECK(deit.resize.value.width == 256);
  CHECK(deit.crop.value == PixelSize{384, 224});
  CHECK(deit.filter.value == Filter::kBicubic);
  const Recipe vit = default_recipe("vit", 32, 48);
  CHECK(vit.fixed_size() == PixelSize{32, 48});
  CHECK(vit.resize.origin == "model config: image_size");
  CHECK(vit.filter.value == Filter::kBilinear);
  for (const char* family : {"dinov2", "dinov2_with_registers"}) {
    const Recipe dino = default_recipe(family, 518, 518);
    CHECK(dino.resize.value.shortest == 256);
    CHECK(dino.fixed_size() == PixelSize{224, 224});
    CHECK(dino.filter.value == Filter::kBicubic);
    CHECK(dino.mean.value[0] == 0.485);
  }
}

TEST_CASE("a native recipe rounds each side to whole patches", "[image]") {
  Recipe recipe = default_recipe("dinov2", 518, 518);
  recipe.keep_native_size({14, 10});
  CHECK(!recipe.fixed_size());
  CHECK(recipe.output_size({28, 30}) == PixelSize{28, 30});
  CHECK(recipe.output_size({34, 34}) == PixelSize{28, 30});  // halves up: 34 is 28 + 6, and 30 + 4
  CHECK(recipe.output_size({35, 35}) == PixelSize{42, 40});
  CHECK(recipe.output_size({1, 2}) == PixelSize{14, 10});
}

TEST_CASE("another size keeps the recipe's proportions", "[image]") {
  Recipe squash = default_recipe("vit", 224, 224);
  squash.override_size({384, 512});
  CHECK(squash.fixed_size() == PixelSize{384, 512});
  CHECK(squash.resize.origin == "option --size");

  Recipe dino = default_recipe("dinov2", 518, 518);
  dino.override_size({448, 448});
  CHECK(dino.fixed_size() == PixelSize{448, 448});
  CHECK(dino.resize.value.shortest == 512);
  dino.override_size({230, 230});  // 512 * 230 / 448 = 262.86
  CHECK(dino.resize.value.shortest == 263);
  dino.override_size({230, 115});  // the larger of the two ratios
  CHECK(dino.resize.value.shortest == 263);

  Recipe deit = read(R"({"image_processor_type":"DeiTImageProcessor"})");
  deit.override_size({112, 448});
  CHECK(deit.resize.value.height == 128);
  CHECK(deit.resize.value.width == 512);

  Recipe free = read(R"({"size":{"shortest_edge":224}})");
  CHECK(!free.fixed_size());
  free.override_size({100, 120});
  CHECK(free.fixed_size() == PixelSize{100, 120});
  CHECK(free.resize.value.shortest == 120);

  for (const PixelSize bad : {PixelSize{0, 4}, PixelSize{4, -1}, PixelSize{4, 100000}})
    CHECK_THROWS_AS(free.override_size(bad), Error);
}

}  // namespace
}  // namespace vit
