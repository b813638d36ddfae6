// SPDX-License-Identifier: Apache-2.0
// Recipes as timm makes them from a `pretrained_cfg` (data/config.py, resolve_data_config; data/transforms_factory.py,
// transforms_imagenet_eval).
#include <algorithm>
#include <cmath>
#include <string_view>

#include "ops/core/error.h"
#include "runtime/image/recipe.h"

namespace vit {
namespace {

using Three = std::array<double, 3>;

constexpr Three kImageNetMean = {0.485, 0.456, 0.406}, kImageNetStd = {0.229, 0.224, 0.225};
constexpr char kDefault[] = "default of timm", kTransform[] = "timm's evaluation transform";

template <class T>
struct Named {
  std::string_view name;
  T value;
};

constexpr Named<Filter> kFilters[] = {{"bicubic", Filter::kBicubic}, {"bilinear", Filter::kBilinear},
                                      {"nearest", Filter::kNearest}, {"box", Filter::kBox},
                                      {"hamming", Filter::kHamming}, {"lanczos", Filter::kLanczos},
                                      {"random", Filter::kBicubic}};  // training draws one; evaluation takes bicubic
constexpr Named<TimmCrop::Mode> kModes[] = {
    {"center", TimmCrop::Mode::kCenter}, {"squash", TimmCrop::Mode::kSquash}, {"border", TimmCrop::Mode::kBorder}};

class Reader {
 public:
  Reader(const JsonFields& cfg, int64_t channels) : cfg_(cfg), channels_(channels) {}

  Recipe read() const {
    Recipe recipe;
    recipe.orientation = {Orientation::kIgnore, kTransform};
    recipe.convert = {Convert::kRgb, kTransform};
    recipe.filter = choice("interpolation", kFilters);
    recipe.rescale = {1.0 / 255.0, kTransform};
    recipe.mean = three("mean", kImageNetMean, {-1e6, 1e6});
    recipe.std = three("std", kImageNetStd, {1e-6, 1e6});
    const Sourced<TimmCrop::Mode> mode = choice("crop_mode", kModes);
    const Sourced<double> pct = crop_pct();
    recipe.timm = {mode.value, pct.value};
    recipe.crop = input_size();
    recipe.resize = {recipe.timm->resize(*recipe.crop.value), str(pct.origin, "; ", mode.origin)};
    recipe.crop_style.middle = CropStyle::Middle::kNearestEven;
    if (mode.value == TimmCrop::Mode::kBorder)
      for (size_t c = 0; c < 3; ++c)
        recipe.crop_style.fill[c] = static_cast<uint8_t>(std::clamp(std::nearbyint(255 * recipe.mean.value[c]), 0.0, 255.0));
    return recipe;
  }

 private:
  std::string from_file(const char* key) const { return cfg_.origin_of(key); }
  bool given(const char* key) const { return cfg_.find(key) && !cfg_.find(key)->is_null(); }

  template <class T, size_t N>
  Sourced<T> choice(const char* key, const Named<T> (&known)[N]) const {
    const std::optional<std::string> name = cfg_.maybe_text(key);
    if (!name || name->empty()) return {known[0].value, kDefault};
    std::string names;
    for (const Named<T>& k : known) {
      if (*name == k.name) return {k.value, from_file(key)};
      names += (names.empty() ? "" : ", ") + std::string(k.name);
    }
    cfg_.fail(key, "one of " + names);
  }

  /// null and 0 mean the default, as `or` in timm has it.
  Sourced<double> crop_pct() const {
    const double pct = cfg_.maybe_number("crop_pct", {0, 16}).value_or(0);
    if (pct == 0) return {TimmCrop{}.crop_pct, str(kDefault, ": crop_pct")};
    if (pct < 1.0 / 16) cfg_.fail("crop_pct", "a number from 0.0625 to 16");
    return {pct, from_file("crop_pct")};
  }

  Sourced<std::optional<PixelSize>> input_size() const {
    const auto sides = cfg_.maybe_numbers("input_size", {1, kMaxRecipeSide}, 3, 3);
    if (!sides) return {PixelSize{224, 224}, kDefault};
    for (const double side : *sides)
      if (side != std::floor(side)) cfg_.fail("input_size", "[channels, height, width]");
    return {PixelSize{static_cast<int64_t>((*sides)[1]), static_cast<int64_t>((*sides)[2])}, from_file("input_size")};
  }

  /// One number stands for all channels. A model of other than three channels is not run on pictures: it needs none.
  Sourced<Three> three(const char* key, const Three& otherwise, NumberRange range) const {
    if (!given(key) || channels_ != 3) return {otherwise, kDefault};
    const auto values = *cfg_.maybe_numbers(key, range, 1, 3);
    if (values.size() == 2) cfg_.fail(key, "three numbers");
    if (values.size() == 1) return {{values[0], values[0], values[0]}, from_file(key)};
    return {{values[0], values[1], values[2]}, from_file(key)};
  }

  const JsonFields& cfg_;
  int64_t channels_;
};

}  // namespace

Resize TimmCrop::resize(PixelSize size) const {
  const auto scaled = [&](int64_t side) {
    return std::max(int64_t{1}, static_cast<int64_t>(std::floor(static_cast<double>(side) / crop_pct)));
  };
  const int64_t height = scaled(size.height), width = scaled(size.width);
  switch (mode) {
    case Mode::kSquash: return {ResizeRule::kExact, height, width, 0, 0};
    case Mode::kBorder: return {ResizeRule::kContain, height, width, 0, 0};
    case Mode::kCenter: break;
  }
  if (height == width) return {ResizeRule::kShortestEdge, 0, 0, height, 0};
  return {ResizeRule::kCover, height, width, 0, 0};
}

Recipe recipe_from_timm(const JsonFields& cfg, int64_t channels) { return Reader(cfg, channels).read(); }

}  // namespace vit
