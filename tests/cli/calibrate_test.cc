// SPDX-License-Identifier: Apache-2.0
// vit-quantize --calibrate: which pictures it takes, what it tells, and what it does where there are none.
#include <filesystem>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/arch/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

using Words = std::vector<std::string>;

ProcessResult quantize(const Words& arguments) { return run_program("vit-quantize", arguments); }

/// Pictures named by their place in the order of names.
void write_pictures(const TempFolder& folder, const std::string& name, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    folder.write(name + "/" + std::to_string(100 + i) + ".ppm", ppm(picture(40, 30, i), 40, 30));
}

TEST_CASE("vit-quantize calibrates on a folder, says so, and makes the same file on any number of threads", "[cli]") {
  const TempFolder folder;
  write_pictures(folder, "pictures/a", 3);
  write_pictures(folder, "pictures/b", 2);
  const std::string model = demonstration_folder(), pictures = folder.path("pictures"), plain = folder.path("plain.vit");
  REQUIRE(quantize({model, plain}).status == 0);
  for (const std::string threads : {"1", "2", "5"}) {
    const std::string out = folder.path(threads + ".vit"), report = folder.path(threads + ".json");
    const ProcessResult made = quantize({model, out, "--calibrate", pictures, "--threads", threads, "--report", report});
    CHECK(made.status == 0);
    CHECK(made.err == "");
    CHECK(lines_of(made.out).back().find("24 layers in int8, calibrated on 5 pictures") != std::string::npos);
    const json layers = json::parse(contents(report));
    CHECK(layers.size() == 24);
    for (const json& layer : layers) CHECK(layer["calibration_pictures"] == 5);
    CHECK(infer({"check", "--verify", out}).out.find("calibrated on 5 pictures") != std::string::npos);
    CHECK(contents(out) == contents(folder.path("1.vit")));
    CHECK(contents(out) != contents(plain));
  }
  CHECK(infer({"check", "--verify", plain}).out.find("calibrated") == std::string::npos);
}

TEST_CASE("of a large folder evenly spaced pictures are taken, and no other is touched", "[cli]") {
  const TempFolder folder;
  write_pictures(folder, "pictures", 64);
  for (int i = 1; i < 64; i += 2) folder.write("pictures/" + std::to_string(100 + i) + ".ppm", "no picture");
  const Words words{demonstration_folder(), folder.path("m.vit"), "--calibrate", folder.path("pictures"), "-q"};
  const ProcessResult result = quantize(words);
  CHECK(result.status == 0);
  CHECK(result.err == "");
  CHECK(result.out.find("calibrated on 32 pictures") != std::string::npos);

  // One less at the front, and each place is a neighbour's.
  std::filesystem::remove(folder.path("pictures/100.ppm"));
  folder.write("pictures/zz.ppm", ppm(picture(40, 30, 1), 40, 30));
  const ProcessResult none = quantize(words);
  CHECK(none.status == 5);
  CHECK(lines_of(none.err).size() == 32 + 1);
}

TEST_CASE("a picture that cannot be read is told of, and the others are calibrated on", "[cli]") {
  const TempFolder folder;
  write_pictures(folder, "pictures", 3);
  folder.write("pictures/bad.png", "no picture");
  const ProcessResult result =
      quantize({demonstration_folder(), folder.path("m.vit"), "--calibrate", folder.path("pictures"), "-q"});
  CHECK(result.status == 1);
  CHECK(lines_of(result.err).size() == 1);
  CHECK(result.err.find("bad.png") != std::string::npos);
  CHECK(result.out.find("calibrated on 3 pictures") != std::string::npos);
  CHECK(infer({"check", "--verify", folder.path("m.vit")}).status == 0);
}

TEST_CASE("where there is nothing to calibrate on, no file is made and one sentence says why", "[cli]") {
  const TempFolder folder;
  folder.write("empty/.hidden", "");
  folder.write("bad/1.png", "no picture");
  folder.write("one/1.ppm", ppm(picture(40, 30, 1), 40, 30));
  const std::string model = demonstration_folder(), out = folder.path("out/m.vit"), one = folder.path("one");
  std::filesystem::create_directory(folder.path("out"));
  struct {
    Words arguments;
    int status;
    const char* says;
  } const cases[] = {{{model, out, "--calibrate", folder.path("empty")}, 5, "no image files"},
                     {{model, out, "--calibrate", folder.path("none")}, 5, "cannot be listed"},
                     {{model, out, "--calibrate", folder.path("one/1.ppm")}, 5, "cannot be listed"},
                     {{model, out, "--calibrate", folder.path("bad")}, 5, "1.png"},
                     {{model, out, "--calibrate", one, "--scheme", "bf16"}, 2, "--scheme int8"},
                     {{model, out, "--calibrate", one, "--threads", "-1"}, 2, "--threads"},
                     {{fixture_folder("deit-classifier"), out, "--calibrate", one}, 2, "3 channels, found one of 1"}};
  for (const auto& one_case : cases) {
    CAPTURE(one_case.arguments);
    const ProcessResult result = quantize(one_case.arguments);
    CHECK(result.status == one_case.status);
    CHECK(result.err.find(one_case.says) != std::string::npos);
    CHECK(lines_of(result.err).size() == 1);
    CHECK(is_clean_text(result.err));
  }
  CHECK(files_in(folder.path("out")) == 0);
}

}  // namespace
