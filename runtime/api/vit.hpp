// SPDX-License-Identifier: Apache-2.0
// Vitesse for C++17: the functions of vit.h with ownership, containers and exceptions. Header-only, so that only C crosses the
// border of the library.
//
//   vit::Model model("models/vit_base_patch16_224");
//   vit::Options options;
//   options.threads = 4;
//   vit::Session session = model.session(options);
//   for (const auto& [label, p] : session.classify(vit::Image::path("cat.jpg")).top(5))
//     std::printf("%5.1f%%  %s\n", 100 * p, label.c_str());
#ifndef VIT_VIT_HPP
#define VIT_VIT_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "vit.h"

namespace vit {
inline namespace api {  // its own symbols: a program may hold the library's static parts, too

/// What a failed call throws: the sentence of vit_last_error(), and the status to decide by.
class Error : public std::runtime_error {
 public:
  Error(vit_status status, const std::string& sentence) : std::runtime_error(sentence), status_(status) {}
  vit_status status() const noexcept { return status_; }

 private:
  vit_status status_;
};

namespace detail {
inline void check(vit_status status) {
  if (status != VIT_OK) throw Error(status, vit_last_error());
}
}  // namespace detail

struct Pixels;

/// An image to read. Refers to the caller's bytes or pixels; a path is copied.
class Image {
 public:
  /// A file: JPEG, PNG, WebP, BMP, PNM or TGA. "-" is standard input.
  static Image path(std::string file) {
    Image image;
    image.path_ = std::move(file);
    image.c_ = vit_image_path(nullptr);
    return image;
  }
  /// The bytes of such a file.
  static Image encoded(const void* data, std::size_t bytes) { return Image(vit_image_encoded(data, bytes)); }
  /// Decoded pixels, 8 bits a channel, upright. stride_bytes 0: rows are adjacent.
  static Image pixels(const void* data, std::size_t width, std::size_t height, std::size_t stride_bytes = 0,
                      vit_pixel_format format = VIT_PIXELS_RGB) {
    return Image(vit_image_pixels(data, width, height, stride_bytes, format));
  }
  /// Pixels as Session::preprocess() gave them, which run as they are: decoding apart from running.
  static Image prepared(const Pixels& pixels);
  /// For calls of vit.h; lives as long as this.
  vit_image c() const {
    vit_image image = c_;
    if (image.kind == VIT_IMAGE_PATH) image.path = path_.c_str();
    return image;
  }

 private:
  Image() = default;
  explicit Image(const vit_image& image) : c_(image) {}
  std::string path_;
  vit_image c_{};
};

/// One answer. Unpacks as [label, probability].
struct Class {
  std::string label;
  float probability = 0;  ///< softmax over all labels, or sigmoid: see vit_probabilities
  float logit = 0;
  std::size_t index = 0;

  template <std::size_t I>
  const auto& get() const {
    static_assert(I < 2, "a Class unpacks into its label and its probability");
    if constexpr (I == 0)
      return label;
    else
      return probability;
  }
};

/// Answers by falling probability.
class Classes : public std::vector<Class> {
 public:
  using std::vector<Class>::vector;
  /// The first `count`, or all where there are fewer.
  std::vector<Class> top(std::size_t count) const {
    return {begin(), begin() + static_cast<std::ptrdiff_t>(count < size() ? count : size())};
  }
};

/// float32 values in C order.
struct Array {
  std::vector<std::size_t> shape;
  std::vector<float> values;
};

/// 8-bit RGB: [height, width, 3].
struct Pixels {
  std::size_t height = 0, width = 0;
  std::vector<std::uint8_t> values;
};

/// vit_session_options with owning strings; the fields mean the same.
struct Options {
  int threads = 0;
  vit_backend backend = VIT_BACKEND_OWN;
  std::string isa;
  std::size_t height = 0, width = 0;
  vit_exif exif = VIT_EXIF_RECIPE;
  int pillow_order = 0;
  std::vector<std::string> taps;
  std::uint64_t max_image_pixels = 0;
  bool profile = false;
  bool native = false;
  vit_probabilities probabilities = VIT_PROBABILITIES_MODEL;
  vit_precision precision = VIT_PRECISION_MODEL;
  bool dct_scale = false;
};

/// vit_quantize_options with owning strings; the fields mean the same.
struct QuantizeOptions {
  vit_scheme scheme = VIT_SCHEME_INT8;
  std::string isa;
  double min_cosine = 0;
  std::vector<std::string> keep;
  std::function<bool(std::size_t done, std::size_t total)> progress;  ///< false ends the work; must not throw
  std::vector<Image> calibration;
  int threads = 0;
};

/// A .vit file in memory.
class Quantized {
 public:
  explicit Quantized(vit_quantized* file) : handle_(file) {}
  const void* data() const { return vit_quantized_data(handle_.get(), nullptr); }
  std::size_t bytes() const {
    std::size_t bytes = 0;
    vit_quantized_data(handle_.get(), &bytes);
    return bytes;
  }

 private:
  struct Free {
    void operator()(vit_quantized* file) const { vit_quantized_free(file); }
  };
  std::unique_ptr<vit_quantized, Free> handle_;
};

class Session;

/// Weights, configuration and labels. A handle: copies share the same immutable model, from any thread.
class Model {
 public:
  /// Opens a folder in Hugging Face's layout.
  /// With `architecture`, a name of timm's registry, no config.json is read.
  explicit Model(const std::string& path, std::size_t max_header_bytes = 0, const std::string& architecture = "") {
    vit_model_options options = VIT_MODEL_OPTIONS_INIT;
    options.max_header_bytes = max_header_bytes;
    if (!architecture.empty()) options.architecture = architecture.c_str();
    vit_model* model = nullptr;
    detail::check(vit_model_open(path.c_str(), &options, &model));
    handle_.reset(model, vit_model_free);
  }
  /// Files in memory, which the caller keeps until the model and its sessions are gone. `name` stands for the path in sentences.
  Model(const std::string& name, const std::vector<vit_file>& files) {
    vit_model* model = nullptr;
    detail::check(vit_model_open_memory(name.c_str(), files.data(), files.size(), nullptr, &model));
    handle_.reset(model, vit_model_free);
  }

  /// A model of timm's registry with random weights, for measuring.
  /// Sides in pixels, 0 as registered.
  static Model untrained(const std::string& architecture, std::size_t image_side = 0, std::size_t patch_side = 0) {
    vit_model* model = nullptr;
    detail::check(vit_model_untrained_sized(architecture.c_str(), image_side, patch_side, &model));
    Model made;
    made.handle_.reset(model, vit_model_free);
    return made;
  }

  vit_model_info info() const {
    vit_model_info info = VIT_MODEL_INFO_INIT;
    detail::check(vit_model_get_info(c(), &info));
    return info;
  }
  /// Throws std::out_of_range.
  std::string label(std::size_t index) const {
    const char* text = vit_model_label(c(), index);
    if (text == nullptr) throw std::out_of_range("the model has no label " + std::to_string(index));
    return text;
  }
  Session session(const Options& options = {}) const;
  /// The model as a .vit file.
  Quantized quantize(const QuantizeOptions& options = {}) const {
    std::vector<const char*> keep;
    for (const std::string& one : options.keep) keep.push_back(one.c_str());
    vit_quantize_options c = VIT_QUANTIZE_OPTIONS_INIT;
    c.scheme = options.scheme;
    c.isa = options.isa.empty() ? nullptr : options.isa.c_str();
    c.min_cosine = options.min_cosine;
    c.keep = keep.data();
    c.keep_count = keep.size();
    if (options.progress) {
      c.progress = [](void* user, std::size_t done, std::size_t total) {
        return static_cast<const QuantizeOptions*>(user)->progress(done, total) ? 0 : 1;
      };
      c.user = const_cast<QuantizeOptions*>(&options);
    }
    std::vector<vit_image> calibration;
    for (const Image& one : options.calibration) calibration.push_back(one.c());
    c.calibration = calibration.data();
    c.calibration_count = calibration.size();
    c.threads = options.threads;
    vit_quantized* file = nullptr;
    detail::check(vit_quantize(this->c(), &c, &file));
    return Quantized(file);
  }
  /// Replays a .vit file's golden pass. Throws where it does not come out as the file says.
  vit_verification verify(const std::string& isa = "") const {
    vit_verification found = VIT_VERIFICATION_INIT;
    detail::check(vit_model_verify(c(), isa.empty() ? nullptr : isa.c_str(), &found));
    return found;
  }
  const vit_model* c() const { return handle_.get(); }

 private:
  Model() = default;
  std::shared_ptr<vit_model> handle_;
};

inline Image Image::prepared(const Pixels& pixels) {
  vit_image image = vit_image_pixels(pixels.values.data(), pixels.width, pixels.height, 0, VIT_PIXELS_RGB);
  image.kind = VIT_IMAGE_PREPARED;
  return Image(image);
}

/// A model prepared for running. Movable; for one caller at a time.
class Session {
 public:
  explicit Session(const Model& model, const Options& options = {}) : model_(model) {
    std::vector<const char*> taps;
    for (const std::string& tap : options.taps) taps.push_back(tap.c_str());
    vit_session_options c = VIT_SESSION_OPTIONS_INIT;
    c.threads = options.threads;
    c.backend = options.backend;
    c.isa = options.isa.empty() ? nullptr : options.isa.c_str();
    c.height = options.height;
    c.width = options.width;
    c.native = options.native ? 1 : 0;
    c.exif = options.exif;
    c.pillow_order = options.pillow_order;
    c.taps = taps.data();
    c.tap_count = taps.size();
    c.max_image_pixels = options.max_image_pixels;
    c.profile = options.profile ? 1 : 0;
    c.probabilities = options.probabilities;
    c.precision = options.precision;
    c.dct_scale = options.dct_scale ? 1 : 0;
    vit_session* session = nullptr;
    detail::check(vit_session_create(model.c(), &c, &session));
    handle_.reset(session);
  }

  /// What VIT_PRECISION_AUTO is, or would be, here.
  vit_precision auto_precision() const { return vit_session_auto_precision(c()); }

  /// The `top_k` most probable labels; all of them unless told.
  Classes classify(const Image& image, std::size_t top_k = SIZE_MAX) {
    return classify(std::vector<Image>{image}, top_k).front();
  }
  /// The same for each image.
  std::vector<Classes> classify(const std::vector<Image>& images, std::size_t top_k = SIZE_MAX) {
    const std::size_t labels = model_.info().num_labels;
    const std::vector<vit_image> many = to_c(images);
    std::vector<vit_class> found(many.size() * (top_k < labels ? top_k : labels));
    std::size_t count = 0;
    detail::check(vit_classify(c(), many.data(), many.size(), top_k, found.data(), &count));
    std::vector<Classes> answers(many.size());
    for (std::size_t i = 0; i < many.size() * count; ++i)
      answers[i / count].push_back({found[i].label, found[i].probability, found[i].logit, found[i].index});
    return answers;
  }
  /// [images, channels of an embedding]
  Array embed(const std::vector<Image>& images) {
    const std::vector<vit_image> many = to_c(images);
    Array out = array(many.size(), 0, 0, VIT_OUTPUT_EMBEDDING);
    detail::check(vit_embed(c(), many.data(), many.size(), out.values.data(), out.values.size()));
    return out;
  }
  std::vector<float> embed(const Image& image) { return embed(std::vector<Image>{image}).values; }
  /// Logits [images, num_labels]. For features of images whose sizes differ use vit_infer().
  Array infer(const std::vector<Image>& images, vit_output want) {
    const std::vector<vit_image> many = to_c(images);
    Array out = array(many.size(), 0, 0, want);
    detail::check(vit_infer(c(), many.data(), many.size(), want, out.values.data(), out.values.size()));
    return out;
  }
  /// Axes of what run() answers for such an input.
  std::vector<std::size_t> output_shape(std::size_t batch, std::size_t height, std::size_t width, vit_output want) const {
    std::size_t dims[3] = {}, rank = 0;
    detail::check(vit_output_shape(c(), batch, height, width, want, dims, &rank));
    return {dims, dims + rank};
  }
  /// A normalised input [batch, channels, height, width].
  Array run(const float* input, std::size_t batch, std::size_t height, std::size_t width, vit_output want) {
    Array out = array(batch, height, width, want);
    detail::check(vit_run(c(), input, batch, height, width, want, out.values.data(), out.values.size()));
    return out;
  }
  /// The pixels that the model would see.
  Pixels preprocess(const Image& image) {
    std::size_t height = 0, width = 0;
    const vit_image one = image.c();
    detail::check(vit_preprocess(c(), &one, nullptr, 0, &height, &width));
    return pixels();
  }
  /// A copy of the pixels of an image of the last call.
  Pixels pixels(std::size_t index = 0) const {
    const std::uint8_t* data = nullptr;
    Pixels out;
    detail::check(vit_pixels(c(), index, &data, &out.height, &out.width));
    out.values.assign(data, data + out.height * out.width * 3);
    return out;
  }
  /// A copy of a tapped node's value in the last run.
  Array tap(const std::string& name) const {
    const float* data = nullptr;
    std::size_t dims[4] = {}, rank = 0, count = 1;
    detail::check(vit_tap(c(), name.c_str(), &data, dims, &rank));
    Array out;
    out.shape.assign(dims, dims + rank);
    for (const std::size_t axis : out.shape) count *= axis;
    out.values.assign(data, data + count);
    return out;
  }
  /// A JSON text.
  std::string describe(vit_description what) const {
    std::size_t needed = 0;
    detail::check(vit_describe(c(), what, nullptr, 0, &needed));
    std::string text(needed, '\0');
    detail::check(vit_describe(c(), what, &text[0], text.size(), &needed));
    text.resize(needed - 1);
    return text;
  }

  const Model& model() const { return model_; }
  vit_session* c() const { return handle_.get(); }

 private:
  struct Free {
    void operator()(vit_session* session) const { vit_session_free(session); }
  };
  static std::vector<vit_image> to_c(const std::vector<Image>& images) {
    std::vector<vit_image> many;
    for (const Image& image : images) many.push_back(image.c());
    return many;
  }
  Array array(std::size_t batch, std::size_t height, std::size_t width, vit_output want) const {
    std::size_t count = 1;
    Array out;
    out.shape = output_shape(batch, height, width, want);
    for (const std::size_t axis : out.shape) count *= axis;
    out.values.resize(count);
    return out;
  }

  Model model_;
  std::unique_ptr<vit_session, Free> handle_;
};

inline Session Model::session(const Options& options) const { return Session(*this, options); }

}  // namespace api
}  // namespace vit

template <>
struct std::tuple_size<vit::Class> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, vit::Class> {
  using type = const std::string;
};
template <>
struct std::tuple_element<1, vit::Class> {
  using type = const float;
};

#endif
