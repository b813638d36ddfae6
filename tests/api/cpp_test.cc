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
