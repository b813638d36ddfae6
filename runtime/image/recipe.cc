// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/recipe.h"

#include <algorithm>
#include <cmath>

#include "ops/core/error.h"

namespace vit {
namespace {

/// Half to even, as Python's round().
int64_t round_half_even(double x) { return static_cast<int64_t>(std::nearbyint(x)); }

/// a * b / c rounded to the nearest, halves up; all positive.
int64_t scaled(int64_t a, int64_t b, int64_t c) { return (2 * a * b + c) / (2 * c); }

PixelSize by_shortest_edge(PixelSize image, int64_t shortest) {
  const auto longer = [&](int64_t long_side, int64_t short_side) {
    return std::max(int64_t{1}, shortest * long_side / short_side);
  };
  if (image.width <= image.height) return {longer(image.height, image.width), shortest};
  return {shortest, longer(image.width, image.height)};
}

/// transformers' get_size_with_aspect_ratio.
PixelSize by_edges(PixelSize image, int64_t shortest, int64_t longest) {
  const double smaller = static_cast<double>(std::min(image.height, image.width)),
               larger = static_cast<double>(std::max(image.height, image.width));
  double short_side = static_cast<double>(shortest);
  int64_t rounded = shortest;
  if (larger / smaller * short_side > static_cast<double>(longest)) {
    short_side = static_cast<double>(longest) * smaller / larger;
    rounded = round_half_even(short_side);
  }
  if (std::min(image.height, image.width) == rounded) return image;
  const auto longer = [&](int64_t long_side, int64_t other) {
    return static_cast<int64_t>(short_side * static_cast<double>(long_side) / static_cast<double>(other));
  };
  if (image.width < image.height) return {longer(image.height, image.width), rounded};
  return {rounded, longer(image.width, image.height)};
}

/// transformers' get_image_size_for_max_height_width.
PixelSize by_fit(PixelSize image, int64_t height, int64_t width) {
  const double ratio = std::min(static_cast<double>(height) / static_cast<double>(image.height),
                                static_cast<double>(width) / static_cast<double>(image.width));
  return {static_cast<int64_t>(static_cast<double>(image.height) * ratio),
          static_cast<int64_t>(static_cast<double>(image.width) * ratio)};
}

/// timm's ResizeKeepRatio: both sides divided by one ratio.
PixelSize by_ratio(PixelSize image, double ratio) {
  return {round_half_even(static_cast<double>(image.height) / ratio), round_half_even(static_cast<double>(image.width) / ratio)};
}

PixelSize by_cover(PixelSize image, const Resize& target, bool contain) {
  const double height = static_cast<double>(image.height) / static_cast<double>(target.height),
               width = static_cast<double>(image.width) / static_cast<double>(target.width);
  return by_ratio(image, contain ? std::max(height, width) : std::min(height, width));
}

int64_t nearest_multiple(int64_t side, int64_t of) { return std::max(int64_t{1}, (side + of / 2) / of) * of; }

/// An object of the two members, or of the first alone.
Json pair_json(const char* first, int64_t a, const char* second = nullptr, int64_t b = 0) {
  Json json = Json::object();
  json[first] = a;
  if (second) json[second] = b;
  return json;
}
Json size_json(PixelSize size) { return pair_json("height", size.height, "width", size.width); }

Json resize_json(const Resize& resize) {
  switch (resize.rule) {
    case ResizeRule::kNone: break;
    case ResizeRule::kExact: return size_json({resize.height, resize.width});
    case ResizeRule::kShortestEdge: return pair_json("shortest_edge", resize.shortest);
    case ResizeRule::kEdges: return pair_json("shortest_edge", resize.shortest, "longest_edge", resize.longest);
    case ResizeRule::kFitInside:
    case ResizeRule::kContain: return pair_json("max_height", resize.height, "max_width", resize.width);
    case ResizeRule::kCover: return pair_json("min_height", resize.height, "min_width", resize.width);
    case ResizeRule::kPatches: return pair_json("height_multiple", resize.height, "width_multiple", resize.width);
  }
  return nullptr;
}

}  // namespace

const char* filter_name(Filter filter) {
  switch (filter) {
    case Filter::kNearest: return "nearest";
    case Filter::kBox: return "box";
    case Filter::kBilinear: return "bilinear";
    case Filter::kHamming: return "hamming";
    case Filter::kBicubic: return "bicubic";
    case Filter::kLanczos: return "lanczos";
  }
  return "?";
}

const char* resampler_name(Resampler resampler) { return resampler == Resampler::kTorch ? "torch" : "pillow"; }

PixelSize Resize::apply(PixelSize image) const {
  PixelSize size = image;
  switch (rule) {
    case ResizeRule::kNone: break;
    case ResizeRule::kExact: size = {height, width}; break;
    case ResizeRule::kShortestEdge: size = by_shortest_edge(image, shortest); break;
    case ResizeRule::kEdges: size = by_edges(image, shortest, longest); break;
    case ResizeRule::kPatches: size = {nearest_multiple(image.height, height), nearest_multiple(image.width, width)}; break;
    case ResizeRule::kFitInside: size = by_fit(image, height, width); break;
    case ResizeRule::kCover: size = by_cover(image, *this, false); break;
    case ResizeRule::kContain: size = by_cover(image, *this, true); break;
  }
  return {std::max(int64_t{1}, size.height), std::max(int64_t{1}, size.width)};
}

Normalisation Recipe::normalisation() const {
  Normalisation n;
  for (size_t c = 0; c < 3; ++c) {
    n.scale[c] = rescale.value / std.value[c];
    n.shift[c] = -mean.value[c] / std.value[c];
  }
  return n;
}

std::optional<PixelSize> Recipe::fixed_size() const {
  if (crop.value) return crop.value;
  if (resize.value.rule == ResizeRule::kExact) return PixelSize{resize.value.height, resize.value.width};
  return {};
}

PixelSize Recipe::output_size(PixelSize image) const { return crop.value.value_or(resize.value.apply(image)); }

void Recipe::override_size(PixelSize size, const std::string& origin) {
  const auto valid = [](int64_t side) { return side >= 1 && side <= kMaxRecipeSide; };
  VIT_CHECK(valid(size.height) && valid(size.width), Code::kArgument, origin, ": expected sides of 1 to ", kMaxRecipeSide,
            " pixels, found ", size.height, "x", size.width);
  Resize& r = resize.value;
  if (timm) {
    r = timm->resize(size);
    resize.origin = str(origin, " and crop_pct (", resize.origin, ")");
    crop = {size, origin};
  } else if (crop.value) {
    const PixelSize old = *crop.value;
    if (r.rule == ResizeRule::kExact || r.rule == ResizeRule::kFitInside) {
      r.height = scaled(r.height, size.height, old.height);
      r.width = scaled(r.width, size.width, old.width);
    } else if (r.rule == ResizeRule::kShortestEdge || r.rule == ResizeRule::kEdges) {
      r.rule = ResizeRule::kShortestEdge;
      r.shortest = std::max(scaled(r.shortest, size.height, old.height), scaled(r.shortest, size.width, old.width));
    }
    if (r.rule != ResizeRule::kNone) resize.origin = str(origin, ", in proportion to the crop (", resize.origin, ")");
    crop = {size, origin};
  } else if (r.rule == ResizeRule::kExact || r.rule == ResizeRule::kNone) {
    r = {ResizeRule::kExact, size.height, size.width, 0, 0};
    resize.origin = origin;
  } else {
    r = {ResizeRule::kShortestEdge, 0, 0, std::max(size.height, size.width), 0};
    resize.origin = origin;
    crop = {size, origin};
  }
}

void Recipe::keep_native_size(PixelSize patch, const std::string& origin) {
  resize = {{ResizeRule::kPatches, patch.height, patch.width, 0, 0}, origin};
  crop = {{}, origin};
}

Json Recipe::to_json() const {
  const auto entry = [](Json value, const std::string& origin) {
    Json both = Json::object();
    both["value"] = std::move(value);
    both["origin"] = origin;
    return both;
  };
  Json json;
  json["orientation"] = entry(orientation.value == Orientation::kApply ? "apply EXIF" : "ignore EXIF", orientation.origin);
  json["convert"] = entry("RGB, alpha dropped", convert.origin);
  json["resize"] = entry(resize_json(resize.value), resize.origin);
  json["filter"] = entry(filter_name(filter.value), filter.origin);
  json["resampler"] = entry(resampler_name(resampler.value), resampler.origin);
  json["crop"] = entry(crop.value ? size_json(*crop.value) : Json(nullptr), crop.origin);
  json["rescale"] = entry(rescale.value, rescale.origin);
  json["mean"] = entry(mean.value, mean.origin);
  json["std"] = entry(std.value, std.origin);
  return json;
}

}  // namespace vit
