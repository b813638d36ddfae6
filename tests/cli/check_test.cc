// SPDX-License-Identifier: Apache-2.0
// check: what is accepted and refused without running anything.
#include <filesystem>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

TEST_CASE("check tells good models and images from bad ones, by its exit code and in JSON", "[cli]") {
  const TempFolder folder;
  const std::string good = folder.write("photos/good.ppm", ppm(picture(9, 7, 1), 9, 7)),
                    bad = folder.write("photos/bad.png", "no picture");
  const std::string weights = contents(demonstration_folder() + "/model.safetensors");
  std::filesystem::copy_file(
      demonstration_folder() + "/config.json",
      (folder.write("short/model.safetensors", weights.substr(0, weights.size() - 1)), folder.path("short/config.json")));
  const std::string model = demonstration_folder(), damaged = folder.path("short");

  CHECK(infer({"check", good, model}).status == 0);
  CHECK(infer({"check", good, model}).err.empty());
  CHECK(infer({"check", bad}).status == 5);
  CHECK(infer({"check", good, bad}).status == 1);
  CHECK(infer({"check", damaged}).status == 3);
  CHECK(infer({"check", good, bad, damaged}).status == 3);
  CHECK(infer({"check"}).status == 2);
  CHECK(infer({"check", folder.path("missing")}).status == 5);
  CHECK(infer({"check", "--max-pixels", "10", good}).status == 5);
  CHECK(infer({"check", "--files-from", "-"}, {.input = good + "\n"}).status == 0);

  const ProcessResult all = infer({"check", "--format", "json", folder.path("photos"), model, damaged});
  CHECK(lines_of(all.err).size() == 2);
  const json array = json::parse(all.out);
  REQUIRE(array.size() == 4);
  const std::vector<std::pair<std::string, bool>> expected = {
      {"image", false}, {"image", true}, {"model", true}, {"model", false}};
  for (size_t i = 0; i < 4; ++i) {
    CHECK(array[i].at("kind") == expected[i].first);
    CHECK(array[i].at("ok") == expected[i].second);
    CHECK(array[i].contains("error") != expected[i].second);
  }
}
