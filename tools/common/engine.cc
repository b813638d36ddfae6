// SPDX-License-Identifier: Apache-2.0
#include "tools/common/engine.h"

#include <charconv>

#include "assets/embedded.h"
#include "tools/common/failure.h"

namespace vit::tool {
namespace {

constexpr uint64_t kMostThreads = 1024;
constexpr uint64_t kLargestSide = 8192;

Model embedded() {
  std::vector<vit_file> files;
  for (const EmbeddedFile& file : embedded_model()) files.push_back({file.name, file.bytes.data(), file.bytes.size()});
  return Model(kEmbeddedModelName, files);
}

}  // namespace

Size parse_size(const Arguments& arguments) {
  if (!arguments.has("size")) return {};
  const std::string text = arguments.text("size", "");
  const char* const end = text.data() + text.size();
  Size size;
  auto [at, error] = std::from_chars(text.data(), end, size.height);
  size.width = size.height;
  if (error == std::errc() && at != end && *at == 'x') {
    const auto second = std::from_chars(at + 1, end, size.width);
    at = second.ptr;
    error = second.ec;
  }
  const auto fits = [](size_t side) { return side >= 1 && side <= kLargestSide; };
  if (error != std::errc() || at != end || !fits(size.height) || !fits(size.width))
    throw Failure(kUsage, arguments.named("size") + ": expected a height and a width from 1 to 8192, as 224 or 256x384, found '" +
                              text + "'");
  return size;
}

Options parse_session_options(const Arguments& arguments) {
  const std::string precision = arguments.text("precision", "");
  const Size size = parse_size(arguments);
  Options options;
  options.threads = static_cast<int>(arguments.whole("threads", 0, kMostThreads, 0));
  options.backend = arguments.text("backend", "own") == "own" ? VIT_BACKEND_OWN : VIT_BACKEND_ONEDNN;
  // The library reads VIT_ISA itself, and names it where it makes no sense.
  if (arguments.named("isa") != "VIT_ISA") options.isa = arguments.text("isa", "");
  options.precision = precision == "bf16"   ? VIT_PRECISION_BF16
                      : precision == "int8" ? VIT_PRECISION_INT8
                      : precision == "auto" ? VIT_PRECISION_AUTO
                      : precision == "f32"  ? VIT_PRECISION_F32
                                            : VIT_PRECISION_MODEL;
  options.height = size.height;
  options.width = size.width;
  options.native = arguments.has("native");
  if (options.native && size.height != 0) throw Failure(kUsage, "--native: expected no --size beside it");
  const std::string exif = arguments.text("exif", "recipe");
  options.exif = exif == "apply" ? VIT_EXIF_APPLY : exif == "ignore" ? VIT_EXIF_IGNORE : VIT_EXIF_RECIPE;
  options.pillow_order = arguments.text("pillow-order", "12") == "13" ? 13 : 12;
  const std::string kind = arguments.text("probabilities", "model");
  options.probabilities = kind == "softmax"   ? VIT_PROBABILITIES_SOFTMAX
                          : kind == "sigmoid" ? VIT_PROBABILITIES_SIGMOID
                                              : VIT_PROBABILITIES_MODEL;
  options.dct_scale = arguments.has("dct-scale");
  options.max_image_pixels = arguments.whole("max-pixels", 1, UINT64_MAX, 0);
  return options;
}

Model open_model(const Arguments& arguments, Untrained untrained) {
  const uint64_t max_header = arguments.whole("max-header", 1, SIZE_MAX, 0);
  const std::string architecture = arguments.text("arch", "");
  const bool named = arguments.has("arch"), given = arguments.has("model");
  if (named && !given && untrained == Untrained::kRefused)
    throw Failure(kUsage, "--arch: expected --model with the weights of " + architecture + ", found none");
  try {
    if (given) return Model(arguments.text("model", ""), max_header, architecture);
    return named ? Model::untrained(architecture) : embedded();
  } catch (const vit::Error& error) {
    throw Failure(kModel, error.what());
  }
}

Session open_session(const Model& model, const Options& options) {
  try {
    return Session(model, options);
  } catch (const vit::Error& error) {
    const bool asked = error.status() == VIT_ERROR_ARGUMENT || error.status() == VIT_ERROR_UNSUPPORTED;
    throw Failure(asked ? kUsage : kModel, error.what());
  }
}

std::string precision_name(const Arguments& arguments, const Model& model) {
  const int own = model.info().precision;
  return arguments.text("precision", own == VIT_PRECISION_INT8 ? "int8" : own == VIT_PRECISION_BF16 ? "bf16" : "f32");
}

void tell_about_precision(const Arguments& arguments, const Session& session) {
  if (arguments.has("quiet")) return;
  const std::string asked = precision_name(arguments, session.model());
  const bool narrow = session.auto_precision() == VIT_PRECISION_BF16;
  if (asked == "auto")
    complain(narrow ? "--precision auto: bf16, which this CPU multiplies faster than f32"
                    : "--precision auto: f32, since this CPU does not multiply bf16; int8 may be faster and is less exact");
  if (asked == "bf16" && !narrow) complain("precision bf16: this CPU does not multiply bf16, so it is computed in f32, slower");
}

}  // namespace vit::tool
