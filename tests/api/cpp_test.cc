// SPDX-License-Identifier: Apache-2.0
// vit.hpp as a program uses it.
#include "runtime/api/vit.hpp"

#include "tests/api/models.h"
#include "tests/catch.h"

TEST_CASE("the C++ interface classifies a photo in four lines", "[api]") {
  vit::api::Model model(vit::demonstration_folder());
  vit::api::Options options;
  options.threads = 2;
  vit::api::Session session = model.session(options);
  std::vector<std::string> labels;
  float last = 1;
  for (const auto& [label, p] : session.classify(vit::api::Image::path(vit::sample_photo())).top(3)) {
    labels.push_back(label);
    CHECK(p <= last);
    last = p;
  }
  CHECK(labels == std::vector<std::string>{"cat", "dog", "horse"});
}

TEST_CASE("a failed call of the C++ interface throws its status and sentence", "[api]") {
  try {
    vit::api::Model model("/nowhere/at/all");
    FAIL("the model was opened");
  } catch (const vit::api::Error& error) {
    CHECK(std::string(error.what()).find("/nowhere/at/all") != std::string::npos);
    CHECK((error.status() == VIT_ERROR_MODEL || error.status() == VIT_ERROR_IO));
  }
}

TEST_CASE("the C++ interface embeds, runs tensors and shows pixels", "[api]") {
  const vit::api::Model model(vit::demonstration_folder());
  vit::api::Options options;
  options.taps = {"norm"};
  vit::api::Session session(model, options);
  const auto image = vit::api::Image::path(vit::sample_photo());
  CHECK(session.embed(image).size() == 128);
  CHECK(session.embed({image, image}).shape == std::vector<size_t>{2, 128});
  CHECK(session.tap("norm").shape.back() == 128);
  CHECK(session.preprocess(image).values.size() == 32 * 32 * 3);
  const std::vector<float> input(3 * 32 * 32);
  CHECK(session.run(input.data(), 1, 32, 32, VIT_OUTPUT_LOGITS).values.size() == 10);
  CHECK(session.describe(VIT_DESCRIBE_NODES).front() == '[');
  CHECK(model.label(3) == "cat");
  CHECK_THROWS_AS(model.label(10), std::out_of_range);
}

TEST_CASE("the C++ interface makes a .vit file, opens it and replays its golden pass", "[api]") {
  const vit::api::Model model(vit::demonstration_folder());
  vit::api::QuantizeOptions options;
  size_t calls = 0;
  options.keep = {"blocks.5.*=bf16"};
  options.progress = [&](size_t done, size_t total) { return ++calls, done <= total; };
  const vit::api::Quantized file = model.quantize(options);
  CHECK(calls == 48);  // 24 layers, each tried and packed
  const vit::api::Model made("made.vit", {{"model.safetensors", file.data(), file.bytes()}});
  CHECK(made.info().precision == VIT_PRECISION_INT8);
  CHECK(model.info().precision == VIT_PRECISION_F32);
  const auto image = vit::api::Image::path(vit::sample_photo());
  CHECK(made.session().classify(image, 1).front().label == "cat");
  const vit_verification found = made.verify();
  CHECK(found.cosine >= found.min_cosine);
  CHECK(made.session().describe(VIT_DESCRIBE_LAYERS).find("asked for") != std::string::npos);
  CHECK(model.session().describe(VIT_DESCRIBE_LAYERS) == "{}");
  CHECK_THROWS_AS(model.verify(), vit::api::Error);

  options = {};
  options.threads = 2;
  options.calibration = {image, vit::api::Image::path(vit::sample_photo())};
  const vit::api::Quantized on_photos = model.quantize(options);
  const vit::api::Model calibrated("made.vit", {{"model.safetensors", on_photos.data(), on_photos.bytes()}});
  CHECK(calibrated.session().describe(VIT_DESCRIBE_LAYERS).find("\"calibration_pictures\":2") != std::string::npos);
  options.calibration.push_back(vit::api::Image::path("none.jpg"));
  CHECK_THROWS_WITH(model.quantize(options), Catch::Contains("calibration[2]: none.jpg"));
  options.calibration.pop_back();
  options.threads = -1;
  CHECK_THROWS_WITH(model.quantize(options), Catch::Contains("threads"));

  options = {};
  options.progress = [](size_t, size_t) { return false; };
  CHECK_THROWS_AS(model.quantize(options), vit::api::Error);
  options = {};
  options.keep = {"blocks.5.*"};
  CHECK_THROWS_AS(model.quantize(options), vit::api::Error);
}
