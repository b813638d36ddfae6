// SPDX-License-Identifier: Apache-2.0
// Trained models against the logits and probabilities that transformers computed from photos.
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/io/json.h"
#include "tests/arch/classified.h"
#include "tests/catch.h"
#include "tests/support/slow_build.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

Json read_json(const fs::path& path) {
  const std::vector<uint8_t> text = read_file(path.string(), uint64_t{1} << 26);
  return parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, path.string());
}

/// `expected`: a folder with expected.json, whose file names are relative to it. Returns how many photos were there.
int check_photos(Photographs& photographs, const fs::path& expected) {
  int photos = 0;
  const Json json = read_json(expected / "expected.json");
  for (const Json& image : json["images"]) {
    const fs::path path = expected / image["file"].get<std::string>();
    if (!fs::exists(path)) continue;
    ++photos;
    const auto logits = image["logits"].get<std::vector<float>>();
    const auto probabilities = image["probabilities"].get<std::vector<double>>();
    const std::vector<float> got = photographs.run(path.string(), Output::kLogits);
    REQUIRE(got.size() == logits.size());
    const std::vector<double> p = softmax(got);
    double worst = 0;
    for (size_t i = 0; i < p.size(); ++i) worst = std::max(worst, std::abs(p[i] - probabilities[i]));
    CAPTURE(path.string(), worst);
    CHECK(largest(got) == largest(logits));
    CHECK(worst <= 1e-4);  // what the product promises
  }
  return photos;
}

TEST_CASE("trained models give the probabilities that transformers gives for photos", "[arch]") {
  struct Case {
    std::string model, expected;
  };
  const std::string source = VIT_SOURCE_DIR, shared = source + "/../shared/models/";
  for (const Case& c : {Case{source + "/assets/models/vit-cifar10", shared + "vit-cifar10"},
                        Case{shared + "vit-s14-200", shared + "vit-s14-200"}}) {
    if (!fs::exists(c.model) || !fs::exists(c.expected + "/expected.json")) {
      WARN("skipped: " << c.expected << " with its photos is not there");
      continue;
    }
    // It runs nothing that the tiny models do not.
    if (slow_build() && c.model.find("vit-s14") != std::string::npos) {
      WARN("skipped in this build: " << c.model << " is too large for it");
      continue;
    }
    INFO(c.model);
    Photographs photographs(c.model, PillowOrder::k13);
    if (check_photos(photographs, c.expected) == 0) WARN("skipped: the photos of " << c.expected << " are not there");
  }
}

}  // namespace
}  // namespace vit
