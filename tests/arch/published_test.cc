// SPDX-License-Identifier: Apache-2.0
// Published numbers of published weights, for whoever has them: VIT_MODELS=DIR names a folder that README.md beside tests/
// describes. Values and tolerances are those of transformers' own tests of the models.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/arch/classified.h"
#include "tests/catch.h"

namespace vit {
namespace {

struct Published {
  const char* folder;
  Output want;
  int64_t tokens, channels;                ///< of the features; of the logits 1 and their number
  std::vector<std::vector<double>> first;  ///< rows of the result's upper left corner
  double tolerance;
};

const std::vector<Published> kPublished{
    {"google/vit-base-patch16-224", Output::kLogits, 1, 1000, {{-0.2744, 0.8215, -0.0836}}, 1e-4},
    {"facebook/dinov2-base",
     Output::kFeatures,
     257,
     768,
     {{-2.1747, -0.4729, 1.0936}, {-3.2780, -0.8269, -0.9210}, {-2.9129, 1.1284, -0.7306}},
     1e-4},
    {"facebook/dinov2-with-registers-base",
     Output::kFeatures,
     261,
     768,
     {{-0.4638, -1.4563, -0.0289}, {-1.4736, -0.8866, 0.3005}, {0.0720, -0.2406, -1.5943}},
     1e-4},
};

void check(const Published& p, const std::string& folder, const std::string& image) {
  Photographs photographs(folder, PillowOrder::kClassic);
  const std::vector<float> got = photographs.run(image, p.want);
  REQUIRE(got.size() == static_cast<size_t>(p.tokens * p.channels));
  for (size_t row = 0; row < p.first.size(); ++row)
    for (size_t column = 0; column < p.first[row].size(); ++column) {
      CAPTURE(row, column);
      const double value = static_cast<double>(got[row * static_cast<size_t>(p.channels) + column]);
      // The published values are rounded to four places.
      CHECK(std::abs(value - p.first[row][column]) <= p.tolerance + 5e-5);
    }
}

TEST_CASE("published weights give their published numbers", "[arch][published]") {
  const char* models = std::getenv("VIT_MODELS");
  if (models == nullptr) {
    WARN("skipped: VIT_MODELS names no folder of published weights");
    return;
  }
  const std::string image = std::string(models) + "/000000039769.png";
  for (const Published& p : kPublished) {
    const std::string folder = std::string(models) + "/" + p.folder;
    if (!std::filesystem::exists(folder) || !std::filesystem::exists(image)) {
      WARN("skipped: " << folder << " or " << image << " is not there");
      continue;
    }
    INFO(folder);
    check(p, folder, image);
  }
}

}  // namespace
}  // namespace vit
