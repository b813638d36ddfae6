// SPDX-License-Identifier: Apache-2.0
// How a model wants its pictures: every value with where it came from. Travels with the model; `explain` prints it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "ops/pixels.h"
#include "runtime/io/json.h"
#include "runtime/io/json_fields.h"

namespace vit {

struct PixelSize {
  int64_t height = 0, width = 0;
  friend bool operator==(const PixelSize&, const PixelSize&) = default;
};

/// Longest side that a recipe may ask for; larger ones are refused.
constexpr int64_t kMaxRecipeSide = 8192;

/// A value and its origin, as "preprocessor_config.json: size" or "default of ViTImageProcessor".
template <class T>
struct Sourced {
  T value{};
  std::string origin;
};

enum class Orientation { kApply, kIgnore };  ///< of EXIF tag 0x0112

/// How what the decoder gives becomes RGB.
enum class Convert {
  kRgb  ///< Pillow's convert("RGB"): gray replicated, alpha dropped without blending, 16-bit gray clipped at 255
};

/// Pillow's resampling filters.
enum class Filter { kNearest, kBox, kBilinear, kHamming, kBicubic, kLanczos };
const char* filter_name(Filter filter);

/// Whose resize of 8-bit pictures is copied, bit for bit.
enum class Resampler {
  kPillow,
  kTorch  ///< torch's interpolate(antialias=True), as transformers' tensor ("fast") processors use it: weights of 16 bits
};
const char* resampler_name(Resampler resampler);

enum class ResizeRule {
  kNone,
  kExact,         ///< to height x width, whatever the aspect ratio
  kShortestEdge,  ///< the short side to `shortest`, the other by aspect ratio, rounded down
  kCover,         ///< the smallest size of this aspect ratio around height x width, rounded to the nearest (timm)
  kEdges,         ///< the same, but the long side at most `longest` (the rule of DETR's processors)
  kPatches,       ///< each side to the nearest multiple of height, width (of a patch), halves up, at least one of them
  kFitInside,     ///< the largest size of this aspect ratio inside height x width, rounded down
  kContain        ///< the same, rounded to the nearest (timm)
};

struct Resize {
  ResizeRule rule = ResizeRule::kNone;
  int64_t height = 0, width = 0;      // kExact, kCover, kFitInside, kContain
  int64_t shortest = 0, longest = 0;  // kShortestEdge, kEdges
  /// The size that a picture gets. Both sides at least 1; the product may be absurd (thin pictures), so check before use.
  PixelSize apply(PixelSize image) const;
};

/// Where the middle of an odd surplus is, and what surrounds a picture that is smaller than the crop.
struct CropStyle {
  enum class Middle { kFloor, kNearestEven } middle = Middle::kFloor;  ///< transformers; torchvision and timm
  std::array<uint8_t, 3> fill{};                                       ///< around a smaller picture
};

/// timm's evaluation transform, from which resize and crop follow for any size of the input.
struct TimmCrop {
  enum class Mode { kCenter, kSquash, kBorder } mode = Mode::kCenter;
  double crop_pct = 0.875;
  /// What a picture is resized to before `size` is cut out of it.
  Resize resize(PixelSize size) const;
};

/// Order: orientation, convert, resize, centre crop (zeros around a smaller picture), rescale, normalise.
struct Recipe {
  Sourced<Orientation> orientation;
  Sourced<Convert> convert;
  Sourced<Resize> resize;
  Sourced<Filter> filter;
  Sourced<Resampler> resampler;
  Sourced<std::optional<PixelSize>> crop;  ///< none: the resized picture is the input
  CropStyle crop_style;
  std::optional<TimmCrop> timm;              ///< set: resize and crop are timm's for the crop's size
  Sourced<double> rescale;                   ///< 1 when there is none
  Sourced<std::array<double, 3>> mean, std;  ///< 0 and 1 when there is no normalisation

  /// x = pixel * scale + shift, as the engine wants it.
  Normalisation normalisation() const;
  /// Pixels that every picture ends with; nothing when that depends on the picture.
  std::optional<PixelSize> fixed_size() const;
  /// Pixels that a picture of this size (after orientation) ends with.
  PixelSize output_size(PixelSize image) const;
  /// Changes the target to `size`, which fixed_size() is from then on:
  /// - an exact resize without crop goes to `size`;
  /// - timm's recipe is what timm makes of an input of `size`;
  /// - with a crop, the crop becomes `size`, and an exact resize grows by the crop's ratio on each axis; a shortest edge grows by
  /// the
  ///   larger of the two ratios, so that what covered the crop still does. Halves are rounded up.
  /// - without crop, a picture is brought to max(height, width) by its shortest edge and cropped, or resized exactly if it was
  /// not
  ///   resized at all.
  /// Throws Error(kArgument) unless both sides are in [1, kMaxRecipeSide].
  void override_size(PixelSize size, const std::string& origin = "option --size");
  /// Every picture keeps its own size, rounded to whole patches; nothing is cut off.
  void keep_native_size(PixelSize patch, const std::string& origin = "option --native");
  /// {"resize": {"value": .., "origin": ".."}, ..} in the order in which the steps are done.
  Json to_json() const;
};

/// Reads a preprocessor_config.json of a ViT, DeiT or BiT processor, under any of its names; other classes are refused by name. A
/// file without a class name is read by the family's own processor, as transformers does. `file` is the name for origins and
/// sentences. Throws Error(kModel) that names the field.
Recipe recipe_from_preprocessor(const Json& config, const std::string& file, const std::string& family);

/// The recipe of timm's `pretrained_cfg`, whose fields may also stand at the root of config.json. `cfg` may hold any of them;
/// what it lacks is timm's default. `channels`: of the model. Throws Error(kModel) that names the field.
Recipe recipe_from_timm(const JsonFields& cfg, int64_t channels);

/// The recipe of a model that came without one. Families: "vit", "vit_msn" and "vit_mae" (squash to the model's image size),
/// "deit" (squash to 256/224 of it, crop), "dinov2" and "dinov2_with_registers" (shortest edge 256, crop 224).
Recipe default_recipe(const std::string& family, int64_t image_height, int64_t image_width);

}  // namespace vit
