// SPDX-License-Identifier: Apache-2.0
// Recipes as transformers' image processors have them: preprocessor_config.json, and each class's defaults for what it leaves
// out.
#include <cmath>
#include <string_view>

#include "ops/core/error.h"
#include "runtime/image/recipe.h"
#include "runtime/io/json_fields.h"

namespace vit {
namespace {

using Three = std::array<double, 3>;

constexpr Three kHalf = {0.5, 0.5, 0.5};
constexpr Three kImageNetMean = {0.485, 0.456, 0.406}, kImageNetStd = {0.229, 0.224, 0.225};
constexpr Three kClipMean = {0.48145466, 0.4578275, 0.40821073}, kClipStd = {0.26862954, 0.26130258, 0.27577711};
constexpr double kRescale = 1.0 / 255.0;
constexpr IntegerRange kSide = {1, kMaxRecipeSide};

/// A processor class and what it takes for a field that the file leaves out.
struct Processor {
  std::string_view stem;  ///< of the class name, before "ImageProcessor" or "FeatureExtractor"
  Resize resize;
  Filter filter;
  std::optional<PixelSize> crop_size;
  bool do_center_crop;
  Three mean, std;
  bool default_to_square;  ///< whether a size of one number means both sides
};

constexpr Processor kProcessors[] = {
    {"ViT", {ResizeRule::kExact, 224, 224, 0, 0}, Filter::kBilinear, {}, false, kHalf, kHalf, true},
    {"DeiT", {ResizeRule::kExact, 256, 256, 0, 0}, Filter::kBicubic, PixelSize{224, 224}, true, kHalf, kHalf, true},
    {"Bit", {ResizeRule::kShortestEdge, 0, 0, 224, 0}, Filter::kBicubic, PixelSize{224, 224}, true, kClipMean, kClipStd, false},
};

/// The processor of a class name under any of its suffixes, or nullptr.
const Processor* find_processor(std::string_view name) {
  for (const Processor& p : kProcessors) {
    if (!name.starts_with(p.stem)) continue;
    const std::string_view suffix = name.substr(p.stem.size());
    for (const char* known : {"ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"})
      if (suffix == known) return &p;
  }
  return nullptr;
}

/// What AutoImageProcessor takes for a family when the file names no class.
std::string processor_of_family(const std::string& family) {
  return family.starts_with("dinov2") ? "BitImageProcessor" : family == "deit" ? "DeiTImageProcessor" : "ViTImageProcessor";
}

std::string class_name(const JsonFields& fields, const std::string& family) {
  for (const char* key : {"image_processor_type", "feature_extractor_type"}) {
    const std::optional<std::string> name = fields.maybe_text(key);
    if (!name) continue;
    if (!find_processor(*name)) fields.fail(key, "a ViT, DeiT or Bit image processor");
    return *name;
  }
  return processor_of_family(family);
}

/// Reads fields with the class's values behind them, and says which it was.
class Reader {
 public:
  Reader(const Json& config, const std::string& file, const std::string& family)
      : fields_(config, file), class_(class_name(fields_, family)), processor_(*find_processor(class_)) {}

  Recipe read() const {
    Recipe recipe;
    recipe.orientation = {Orientation::kApply, "load_image of transformers"};
    recipe.convert = {Convert::kRgb, "load_image of transformers"};
    recipe.resize = resize();
    recipe.filter = filter();
    recipe.resampler = resampler();
    recipe.crop = crop();
    recipe.rescale = rescale();
    recipe.mean = three("image_mean", processor_.mean, {-1e6, 1e6}, 0);
    recipe.std = three("image_std", processor_.std, {1e-6, 1e6}, 1);
    if (flag("do_pad", false).value) fields_.fail("do_pad", "false");
    return recipe;
  }

 private:
  std::string from_file(const char* key) const { return str(fields_.file(), ": ", key); }
  std::string from_class() const { return str("default of ", class_); }
  /// Absent and null both mean the class's value, as in transformers.
  bool given(const char* key) const { return fields_.find(key) && !fields_.find(key)->is_null(); }

  Sourced<bool> flag(const char* key, bool otherwise) const {
    const std::optional<bool> value = fields_.maybe_boolean(key);
    return {value.value_or(otherwise), value ? from_file(key) : from_class()};
  }

  Sourced<Resize> resize() const {
    const Sourced<Resize> size = given("size") ? Sourced<Resize>{read_size("size", square()), from_file("size")}
                                               : Sourced<Resize>{processor_.resize, from_class()};
    const Sourced<bool> wanted = flag("do_resize", true);
    return wanted.value ? size : Sourced<Resize>{{}, wanted.origin};
  }

  bool square() const { return flag("default_to_square", processor_.default_to_square).value; }

  /// The forms of a size: a number, a list, or one of four objects.
  Resize read_size(const char* key, bool one_number_is_square) const {
    const Json& value = *fields_.find(key);
    if (value.is_object()) return read_size_object(key, value);
    const auto sides = fields_.pair(key, kSide);  // refuses what is neither a number nor two
    if (value.is_array() || one_number_is_square) return {ResizeRule::kExact, sides->first, sides->second, 0, 0};
    return {ResizeRule::kShortestEdge, 0, 0, sides->first, 0};
  }

  Resize read_size_object(const char* key, const Json& value) const {
    const JsonFields size = *fields_.maybe_object(key);
    const auto only = [&](const char* a, const char* b) { return value.size() == 2 && size.has(a) && size.has(b); };
    const auto side = [&](const char* name) { return size.integer(name, kSide); };
    if (only("height", "width")) return {ResizeRule::kExact, side("height"), side("width"), 0, 0};
    if (value.size() == 1 && size.has("shortest_edge")) return {ResizeRule::kShortestEdge, 0, 0, side("shortest_edge"), 0};
    if (only("shortest_edge", "longest_edge")) return {ResizeRule::kEdges, 0, 0, side("shortest_edge"), side("longest_edge")};
    if (only("max_height", "max_width")) return {ResizeRule::kFitInside, side("max_height"), side("max_width"), 0, 0};
    fields_.fail(key, "height and width, shortest_edge alone or with longest_edge, or max_height and max_width");
  }

  Sourced<Filter> filter() const {
    constexpr Filter kCodes[] = {Filter::kNearest, Filter::kLanczos, Filter::kBilinear,
                                 Filter::kBicubic, Filter::kBox,     Filter::kHamming};
    const std::optional<int64_t> code = fields_.maybe_integer("resample", {0, 5});
    return code ? Sourced<Filter>{kCodes[*code], from_file("resample")} : Sourced<Filter>{processor_.filter, from_class()};
  }

  /// By the name of the class. transformers 5 writes neither suffix and then takes what is installed; the published files without
  /// one come from Pillow's time. torch has no box or Hamming filter, and its Lanczos is Pillow's.
  Sourced<Resampler> resampler() const {
    const Filter wanted = filter().value;
    const bool both_have = wanted == Filter::kNearest || wanted == Filter::kBilinear || wanted == Filter::kBicubic;
    const bool fast = class_.ends_with("Fast");
    return {fast && both_have ? Resampler::kTorch : Resampler::kPillow, str("class ", class_)};
  }

  Sourced<std::optional<PixelSize>> crop() const {
    Sourced<std::optional<PixelSize>> size = {processor_.crop_size, from_class()};
    if (given("crop_size")) {
      const Resize read = read_size("crop_size", true);
      if (read.rule != ResizeRule::kExact) fields_.fail("crop_size", "height and width");
      size = {PixelSize{read.height, read.width}, from_file("crop_size")};
    }
    const Sourced<bool> wanted = flag("do_center_crop", processor_.do_center_crop);
    if (!wanted.value) return {{}, wanted.origin};
    if (!size.value)
      fields_.fail("crop_size", str("height and width, because do_center_crop is true and ", class_, " has no default"));
    return size;
  }

  Sourced<double> rescale() const {
    const std::optional<double> factor = fields_.maybe_number("rescale_factor", {1e-9, 1e6});
    const Sourced<bool> wanted = flag("do_rescale", true);
    if (!wanted.value) return {1.0, wanted.origin};
    return {factor.value_or(kRescale), factor ? from_file("rescale_factor") : from_class()};
  }

  /// A value for each channel; a single number stands for all. `neutral` when there is no normalisation.
  Sourced<Three> three(const char* key, const Three& otherwise, NumberRange range, double neutral) const {
    Sourced<Three> values = {otherwise, from_class()};
    if (given(key) && fields_.find(key)->is_number()) {
      values.value.fill(fields_.number(key, range));
      values.origin = from_file(key);
    } else if (const auto list = fields_.maybe_numbers(key, range, 3, 3)) {
      values = {{(*list)[0], (*list)[1], (*list)[2]}, from_file(key)};
    }
    const Sourced<bool> wanted = flag("do_normalize", true);
    if (wanted.value) return values;
    return {{neutral, neutral, neutral}, wanted.origin};
  }

  JsonFields fields_;
  std::string class_;
  const Processor& processor_;
};

}  // namespace

Recipe recipe_from_preprocessor(const Json& config, const std::string& file, const std::string& family) {
  return Reader(config, file, family).read();
}

Recipe default_recipe(const std::string& family, int64_t image_height, int64_t image_width) {
  const bool dino = family.starts_with("dinov2"), deit = family == "deit";
  const std::string origin = dino   ? "default of the DINOv2 models"
                             : deit ? "default of DeiTImageProcessor"
                                    : "default of ViTImageProcessor";
  Recipe recipe;
  recipe.orientation = {Orientation::kApply, "load_image of transformers"};
  recipe.convert = {Convert::kRgb, "load_image of transformers"};
  recipe.rescale = {kRescale, origin};
  recipe.resampler = {Resampler::kPillow, origin};
  recipe.filter = {dino || deit ? Filter::kBicubic : Filter::kBilinear, origin};
  recipe.mean = {dino ? kImageNetMean : kHalf, origin};
  recipe.std = {dino ? kImageNetStd : kHalf, origin};
  if (dino) {
    recipe.resize = {{ResizeRule::kShortestEdge, 0, 0, 256, 0}, origin};
    recipe.crop = {PixelSize{224, 224}, origin};
  } else if (deit) {
    const auto around = [](int64_t side) { return (side * 256 + 112) / 224; };
    recipe.resize = {{ResizeRule::kExact, around(image_height), around(image_width), 0, 0},
                     origin + ", in proportion to image_size"};
    recipe.crop = {PixelSize{image_height, image_width}, "model config: image_size"};
  } else {
    recipe.resize = {{ResizeRule::kExact, image_height, image_width, 0, 0}, "model config: image_size"};
    recipe.crop = {{}, origin};
  }
  return recipe;
}

}  // namespace vit
