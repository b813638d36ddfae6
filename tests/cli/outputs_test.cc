// SPDX-License-Identifier: Apache-2.0
// Models whose outputs have other shapes than most.
#include "runtime/io/json.h"
#include "tests/catch.h"
#include "tests/cli/npy_files.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;

namespace {

const std::string kFixtures = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/", kPhoto = kFixtures + "images/photo.jpg";

}  // namespace

TEST_CASE("embed writes as many numbers as the pooler makes, not as many as a token has", "[cli]") {
  const TempFolder folder;
  const std::string model = kFixtures + "models/vit-pooler", file = folder.path("e.npy");  // 20 and 56
  REQUIRE(infer({"embed", "-m", model, "--format", "npy", "-o", file, kPhoto, kPhoto}).status == 0);
  const Npy npy = read_npy(file);
  CHECK(npy.shape == std::vector<size_t>{2, 20});
  const auto array = nlohmann::json::parse(infer({"embed", "-m", model, "--format", "json", kPhoto}).out);
  const auto embedding = array.at(0).at("embedding").get<std::vector<float>>();
  REQUIRE(embedding.size() == 20);
  CHECK(std::vector<float>(npy.values.begin(), npy.values.begin() + 20) == embedding);
  const auto csv = lines_of(infer({"embed", "-m", model, "--format", "csv", kPhoto}).out);
  REQUIRE(csv.size() == 2);
  CHECK(csv[0].ends_with(",18,19"));
  CHECK(run_program("vit-bench", {"-m", model, "--runs", "1"}).status == 0);
}

TEST_CASE("a model that pools no tokens has no labels for a picture, and says what can be had", "[cli]") {
  const TempFolder folder;
  const std::string model = kFixtures + "models/timm-tokens";
  folder.write("LABEL_0/x.ppm", "P6 1 1 255 abc");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"classify", kPhoto}, {"classify", kPhoto, "--format", "npy"}, {"evaluate", folder.path("")}}) {
    std::vector<std::string> arguments = words;
    arguments.insert(arguments.end(), {"-m", model});
    const ProcessResult result = infer(arguments);
    CAPTURE(words[0], result.err);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(lines_of(result.err).size() == 1);
    CHECK(result.err.find("global_pool is ''") != std::string::npos);
  }
  CHECK(infer({"embed", "-m", model, kPhoto}).status == 0);
  CHECK(run_program("vit-bench", {"-m", model, "--runs", "1"}).status == 0);
}
