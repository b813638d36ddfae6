// SPDX-License-Identifier: Apache-2.0
// Sizes that the model never saw: --native, and the memory that --size would take.
#include "runtime/io/json.h"

#include "tests/catch.h"
#include "tests/cli/process.h"

namespace vit {
namespace {

const std::string kModel = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/models/dinov2-registers";
const std::string kCat = std::string(VIT_SOURCE_DIR) + "/assets/images/chelsea.png",
                  kPhoto = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/images/photo.jpg";

TEST_CASE("one batch may mix native sizes, and each image has the numbers that it has alone", "[cli]") {
  const auto csv = [](std::vector<std::string> images) {
    std::vector<std::string> arguments{"-m", kModel, "--native", "--format", "jsonl", "--batch", "2"};
    arguments.insert(arguments.end(), images.begin(), images.end());
    return infer(arguments);
  };
  const auto both = csv({kCat, kPhoto});
  CHECK(both.status == 0);
  CHECK(both.out == csv({kCat}).out + csv({kPhoto}).out);
  CHECK(both.err.find("--native: the model was trained at 16x64 pixels") != std::string::npos);
}

TEST_CASE("--native and --size exclude each other", "[cli]") {
  const auto result = infer({"--native", "--size", "32", kCat});
  CHECK(result.status == 2);
  CHECK(result.err.find("--native") != std::string::npos);
}

TEST_CASE("info tells the memory of a size without running it", "[cli]") {
  const auto bytes = [](const std::string& size) {
    const auto result = infer({"info", "-m", kModel, "--size", size, "--format", "json"});
    return Json::parse(result.out)["plan"]["activation_bytes"].get<int64_t>();
  };
  const int64_t small = bytes("80"), large = bytes("8000");  // a million tokens: minutes, if they were run
  CHECK(large > 7800 * small);                               // 104 rows take the room of 128 where keys lie in panels
  CHECK(large < 11000 * small);
}

}  // namespace
}  // namespace vit
