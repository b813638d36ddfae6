// SPDX-License-Identifier: Apache-2.0
// Images through vit.h: forms and layouts, answers, taps.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/image/decode.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

using namespace vit;

namespace {

std::vector<float> logits_of(vit_session* session, const vit_image& image) {
  std::vector<float> out(10);
  const vit_status status = vit_infer(session, &image, 1, VIT_OUTPUT_LOGITS, out.data(), out.size());
  INFO(vit_last_error());
  REQUIRE(status == VIT_OK);
  return out;
}

std::vector<uint8_t> pixels_of(vit_session* session, const vit_image& image) {
  size_t height = 0, width = 0;
  REQUIRE(vit_preprocess(session, &image, nullptr, 0, &height, &width) == VIT_OK);
  std::vector<uint8_t> out(height * width * 3);
  REQUIRE(vit_preprocess(session, &image, out.data(), out.size(), &height, &width) == VIT_OK);
  return out;
}

/// RGB pixels in another layout, rows `stride` apart; what lies between rows is rubbish.
std::vector<uint8_t> laid_out(const std::vector<uint8_t>& rgb, size_t width, size_t height, vit_pixel_format format,
                              size_t stride) {
  std::vector<uint8_t> out(stride * height, 0xEE);
  const size_t channels = format == VIT_PIXELS_RGBA || format == VIT_PIXELS_BGRA ? 4 : 3;
  const bool reversed = format == VIT_PIXELS_BGR || format == VIT_PIXELS_BGRA;
  for (size_t y = 0; y < height; ++y)
    for (size_t x = 0; x < width; ++x)
      for (size_t c = 0; c < 3; ++c) out[y * stride + x * channels + (reversed ? 2 - c : c)] = rgb[(y * width + x) * 3 + c];
  return out;
}

}  // namespace

TEST_CASE("a path, the file's bytes and its pixels in any layout are the same image", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const size_t width = 61, height = 47;
  const std::vector<uint8_t> rgb = picture(width, height, 3);
  const std::string file = ppm(rgb, width, height);
  const TempFolder folder;
  const std::string path = folder.write("picture.ppm", file);

  const std::vector<float> expected = logits_of(session.get(), vit_image_path(path.c_str()));
  CHECK(logits_of(session.get(), vit_image_encoded(file.data(), file.size())) == expected);
  CHECK(logits_of(session.get(), vit_image_pixels(rgb.data(), width, height, 0, VIT_PIXELS_RGB)) == expected);
  for (const vit_pixel_format format : {VIT_PIXELS_RGB, VIT_PIXELS_BGR, VIT_PIXELS_RGBA, VIT_PIXELS_BGRA}) {
    const size_t row = width * (format >= VIT_PIXELS_RGBA ? 4 : 3);
    for (const size_t stride : {row, row + 1, row + 67}) {
      CAPTURE(format, stride);
      const std::vector<uint8_t> other = laid_out(rgb, width, height, format, stride);
      CHECK(logits_of(session.get(), vit_image_pixels(other.data(), width, height, stride, format)) == expected);
    }
  }
}

TEST_CASE("with dct_scale a large JPEG gives other pixels of the same size, and nothing else changes", "[api]") {
  const ModelHandle model = open_demonstration();
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  const SessionHandle exact = make_session(model.get(), &options);
  options.dct_scale = 1;
  const SessionHandle near = make_session(model.get(), &options);
  const auto fixture = [](const char* name) { return std::string(VIT_SOURCE_DIR) + "/tests/fixtures/images/" + name; };
  const auto both = [&](const vit_image& image) {
    return std::pair{pixels_of(exact.get(), image), pixels_of(near.get(), image)};
  };
  // 91 x 120 to 32 x 32: at a half. 23 x 37, and PNG: as it is.
  const auto [whole, half] = both(vit_image_path(fixture("photo.jpg").c_str()));
  CHECK(whole.size() == half.size());
  CHECK(whole != half);
  const Pixels all = read_image(fixture("photo.jpg"));
  const auto [height, width] = std::pair{static_cast<size_t>(all.height), static_cast<size_t>(all.width)};
  CHECK(pixels_of(exact.get(), vit_image_pixels(all.data.data(), width, height, 0, VIT_PIXELS_RGB)) == whole);
  const std::string bytes = contents(fixture("photo.jpg"));
  CHECK(pixels_of(near.get(), vit_image_encoded(bytes.data(), bytes.size())) == half);
  for (const std::string& path : {fixture("jpeg_444.jpg"), fixture("png_rgb_8.png"), sample_photo()}) {
    const auto [a, b] = both(vit_image_path(path.c_str()));
    CHECK(a == b);
  }
}

TEST_CASE("gray pixels are three equal channels", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const size_t width = 33, height = 40;
  std::vector<uint8_t> rgb = picture(width, height, 9), gray(width * height);
  for (size_t i = 0; i < gray.size(); ++i) gray[i] = rgb[3 * i + 1] = rgb[3 * i + 2] = rgb[3 * i];
  CHECK(pixels_of(session.get(), vit_image_pixels(gray.data(), width, height, 0, VIT_PIXELS_GRAY)) ==
        pixels_of(session.get(), vit_image_pixels(rgb.data(), width, height, 0, VIT_PIXELS_RGB)));
}

TEST_CASE("pixels that cannot be are refused", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const std::vector<uint8_t> rgb = picture(8, 8, 1);
  const auto status = [&](const vit_image& image) {
    float logits[10];
    return vit_infer(session.get(), &image, 1, VIT_OUTPUT_LOGITS, logits, 10);
  };
  CHECK(status(vit_image_pixels(nullptr, 8, 8, 0, VIT_PIXELS_RGB)) == VIT_ERROR_ARGUMENT);
  CHECK(status(vit_image_pixels(rgb.data(), 0, 8, 0, VIT_PIXELS_RGB)) == VIT_ERROR_ARGUMENT);
  CHECK(status(vit_image_pixels(rgb.data(), 8, 8, 23, VIT_PIXELS_RGB)) == VIT_ERROR_ARGUMENT);
  CHECK(status(vit_image_pixels(rgb.data(), 8, 8, SIZE_MAX, VIT_PIXELS_RGB)) == VIT_ERROR_ARGUMENT);
  CHECK(status(vit_image_pixels(rgb.data(), SIZE_MAX, SIZE_MAX, 0, VIT_PIXELS_RGB)) == VIT_ERROR_ARGUMENT);
  CHECK(status(vit_image_pixels(rgb.data(), 8, 8, 0, static_cast<vit_pixel_format>(9))) == VIT_ERROR_ARGUMENT);
  CHECK(status(vit_image_encoded(rgb.data(), rgb.size())) == VIT_ERROR_IMAGE);
  CHECK(status(vit_image_encoded(nullptr, 0)) == VIT_ERROR_IMAGE);
  vit_image image = vit_image_pixels(rgb.data(), 8, 8, 0, VIT_PIXELS_RGB);
  image.kind = static_cast<vit_image_kind>(5);
  CHECK(status(image) == VIT_ERROR_ARGUMENT);
}

TEST_CASE("classes come by falling probability, which sums to one, and beyond the last there are none", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const std::string photo = sample_photo();
  const vit_image image = vit_image_path(photo.c_str());
  vit_class classes[10];
  size_t found = 0;
  REQUIRE(vit_classify(session.get(), &image, 1, 1000, classes, &found) == VIT_OK);
  REQUIRE(found == 10);
  double sum = 0;
  for (size_t i = 0; i < found; ++i) {
    sum += classes[i].probability;
    CHECK(std::string(classes[i].label) == vit_model_label(model.get(), classes[i].index));
    if (i > 0) CHECK(classes[i - 1].probability >= classes[i].probability);
  }
  CHECK(std::string(classes[0].label) == "cat");
  CHECK(std::abs(sum - 1) < 10 * 6e-8);  // each probability is rounded to float32 once
  CHECK(vit_classify(session.get(), &image, 1, 0, classes, &found) == VIT_ERROR_ARGUMENT);
  CHECK(vit_model_label(model.get(), 10) == nullptr);
}

TEST_CASE("sigmoid takes each label by itself", "[api]") {
  const ModelHandle model = open_demonstration();
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.probabilities = VIT_PROBABILITIES_SIGMOID;
  vit_session* opened = nullptr;
  REQUIRE(vit_session_create(model.get(), &options, &opened) == VIT_OK);
  const SessionHandle session(opened);
  const std::string photo = sample_photo();
  const vit_image image = vit_image_path(photo.c_str());
  vit_class classes[10];
  size_t found = 0;
  REQUIRE(vit_classify(session.get(), &image, 1, 10, classes, &found) == VIT_OK);
  for (const vit_class& one : classes)
    CHECK(std::abs(one.probability - 1 / (1 + std::exp(-static_cast<double>(one.logit)))) < 6e-8);  // one rounding to float32
}

TEST_CASE("equal probabilities stand by index", "[api]") {
  const std::string weights = weights_with("classifier.weight", 0), zeros = weights_with("classifier.bias", 0);
  std::string both = weights;  // the bias of one into the other: both files differ from the original in one tensor
  for (size_t i = 0; i < both.size(); ++i)
    if (weights[i] != zeros[i]) both[i] = 0;
  const ModelHandle model = open_with_weights(both);
  const SessionHandle session = make_session(model.get());
  const std::string photo = sample_photo();
  const vit_image image = vit_image_path(photo.c_str());
  vit_class classes[10];
  size_t found = 0;
  REQUIRE(vit_classify(session.get(), &image, 1, 10, classes, &found) == VIT_OK);
  for (size_t i = 0; i < found; ++i) {
    CHECK(classes[i].index == i);
    CHECK(classes[i].probability == 0.1f);
  }
}

TEST_CASE("logits that are not finite are an error, not a probability", "[api]") {
  const std::string weights = weights_with("classifier.bias", 0x7E00);  // NaN in float16
  const ModelHandle model = open_with_weights(weights);
  const SessionHandle session = make_session(model.get());
  const std::string photo = sample_photo();
  const vit_image image = vit_image_path(photo.c_str());
  vit_class classes[10];
  size_t found = 0;
  CHECK(vit_classify(session.get(), &image, 1, 10, classes, &found) == VIT_ERROR_IMAGE);
  CHECK(std::strstr(vit_last_error(), "not finite") != nullptr);
}

TEST_CASE("an image's numbers do not depend on its neighbours, and one bad image fails the call", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  std::vector<std::vector<uint8_t>> pictures;
  std::vector<vit_image> images;
  for (size_t i = 0; i < 19; ++i) pictures.push_back(picture(20 + 3 * i, 50 - i, static_cast<uint32_t>(i)));
  for (size_t i = 0; i < 19; ++i) images.push_back(vit_image_pixels(pictures[i].data(), 20 + 3 * i, 50 - i, 0, VIT_PIXELS_RGB));

  std::vector<float> together(19 * 10), features(19 * 65 * 128);
  REQUIRE(vit_infer(session.get(), images.data(), images.size(), VIT_OUTPUT_LOGITS, together.data(), together.size()) == VIT_OK);
  REQUIRE(vit_infer(session.get(), images.data(), images.size(), VIT_OUTPUT_FEATURES, features.data(), features.size()) ==
          VIT_OK);
  for (size_t i = 0; i < images.size(); ++i) {
    CAPTURE(i);
    CHECK(std::equal(together.begin() + static_cast<std::ptrdiff_t>(10 * i),
                     together.begin() + static_cast<std::ptrdiff_t>(10 * i + 10), logits_of(session.get(), images[i]).begin()));
  }
  images[7] = vit_image_path("/nowhere.jpg");
  const std::vector<float> before = together;
  CHECK(vit_infer(session.get(), images.data(), images.size(), VIT_OUTPUT_LOGITS, together.data(), together.size()) ==
        VIT_ERROR_IO);
  CHECK(std::strstr(vit_last_error(), "/nowhere.jpg") != nullptr);
  CHECK(together == before);
}

TEST_CASE("a tap holds the node of the last run, and pixels those of the last images", "[api]") {
  const ModelHandle model = open_demonstration();
  const char* taps[] = {"logits", "blocks.2.fc1", "tokens"};
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.taps = taps;
  options.tap_count = 3;
  const SessionHandle session = make_session(model.get(), &options);
  const float* data = nullptr;
  size_t dims[4], rank = 0, height = 0, width = 0;
  const uint8_t* pixels = nullptr;
  CHECK(vit_tap(session.get(), "logits", &data, dims, &rank) == VIT_ERROR_ARGUMENT);  // nothing was run
  CHECK(vit_pixels(session.get(), 0, &pixels, &height, &width) == VIT_ERROR_ARGUMENT);

  const std::vector<uint8_t> rgb = picture(45, 31, 5);
  const vit_image image = vit_image_pixels(rgb.data(), 45, 31, 0, VIT_PIXELS_RGB);
  const std::vector<float> logits = logits_of(session.get(), image);
  REQUIRE(vit_tap(session.get(), "logits", &data, dims, &rank) == VIT_OK);
  CHECK(std::vector<size_t>(dims, dims + rank) == std::vector<size_t>{1, 10});
  CHECK(std::equal(logits.begin(), logits.end(), data));
  REQUIRE(vit_tap(session.get(), "blocks.2.fc1", &data, dims, &rank) == VIT_OK);
  CHECK(std::vector<size_t>(dims, dims + rank) == std::vector<size_t>{1, 65, 256});
  REQUIRE(vit_tap(session.get(), "tokens", &data, dims, &rank) == VIT_OK);
  CHECK(std::vector<size_t>(dims, dims + rank) == std::vector<size_t>{1, 65, 128});
  CHECK(vit_tap(session.get(), "blocks.0", &data, dims, &rank) == VIT_ERROR_ARGUMENT);

  REQUIRE(vit_pixels(session.get(), 0, &pixels, &height, &width) == VIT_OK);
  CHECK((height == 32 && width == 32));
  const std::vector<uint8_t> kept(pixels, pixels + 32 * 32 * 3);
  CHECK(kept == pixels_of(session.get(), image));
  CHECK(vit_pixels(session.get(), 1, &pixels, &height, &width) == VIT_ERROR_ARGUMENT);
}

TEST_CASE("shapes of outputs follow the input's size", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  size_t dims[3], rank = 0;
  const auto shape = [&](size_t height, size_t width, vit_output want) {
    REQUIRE(vit_output_shape(session.get(), 2, height, width, want, dims, &rank) == VIT_OK);
    return std::vector<size_t>(dims, dims + rank);
  };
  CHECK(shape(0, 0, VIT_OUTPUT_LOGITS) == std::vector<size_t>{2, 10});
  CHECK(shape(0, 0, VIT_OUTPUT_EMBEDDING) == std::vector<size_t>{2, 128});
  CHECK(shape(0, 0, VIT_OUTPUT_FEATURES) == std::vector<size_t>{2, 65, 128});
  CHECK(shape(43, 21, VIT_OUTPUT_FEATURES) == std::vector<size_t>{2, 51, 128});  // 10 x 5 patches and the class token
  std::vector<float> input(2 * 3 * 43 * 21, 0.5f), out(2 * 51 * 128);
  CHECK(vit_run(session.get(), input.data(), 2, 43, 21, VIT_OUTPUT_FEATURES, out.data(), out.size()) == VIT_OK);
}
