// SPDX-License-Identifier: Apache-2.0
// vit-quantize: the contract of its command line, and that a file is the new one or the old one whatever happens.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "runtime/io/json.h"
#include "runtime/model.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/support/slow_build.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

using Words = std::vector<std::string>;

ProcessResult quantize(const Words& arguments, const ProcessInput& input = {}) {
  return run_program("vit-quantize", arguments, input);
}

TEST_CASE("a file made by vit-quantize answers as the model in that precision", "[cli]") {
  const TempFolder folder;
  const std::string photo = folder.write("photo.ppm", ppm(picture(40, 30, 3), 40, 30)), model = demonstration_folder();
  for (const std::string scheme : {"int8", "bf16", "f32"}) {
    CAPTURE(scheme);
    const std::string out = folder.path(scheme + ".vit");
    const ProcessResult made = quantize({model, out, "--scheme", scheme});
    CHECK(made.status == 0);
    CHECK(made.err == "");
    CHECK(made.out.find("blocks.0.qkv") != std::string::npos);
    CHECK(lines_of(made.out).back().find("24 layers in " + scheme) != std::string::npos);
    CHECK(infer({"-m", out, "--format", "json", photo}).out ==
          infer({"-m", model, "--precision", scheme, "--format", "json", photo}).out);
    CHECK(infer({"check", "--verify", out}).status == 0);
  }
  CHECK(std::filesystem::file_size(folder.path("int8.vit")) * 10 <= std::filesystem::file_size(folder.path("f32.vit")) * 4);
}

TEST_CASE("the input may be the output, and quantising again changes nothing", "[cli]") {
  const TempFolder folder;
  const std::string out = folder.path("m.vit");
  REQUIRE(quantize({demonstration_folder(), out}).status == 0);
  const std::string first = contents(out);
  CHECK(quantize({out, out}).status == 0);
  CHECK(contents(out) == first);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("vit-quantize reports each layer, what was kept and why", "[cli]") {
  const TempFolder folder;
  const std::string report = folder.path("report.json");
  const ProcessResult result =
      quantize({demonstration_folder(), folder.path("m.vit"), "--keep", "blocks.1.*=f32", "--report", report});
  CHECK(result.status == 0);
  const json layers = json::parse(contents(report));
  CHECK(layers.size() == 24);
  CHECK(layers["blocks.1.fc1"]["precision"] == "f32");
  CHECK(layers["blocks.1.fc1"]["kept"] == "asked for");
  CHECK(layers["blocks.2.fc1"]["precision"] == "int8");
  CHECK(layers["blocks.2.fc1"]["cosine"] > 0.998);
  CHECK(result.out.find("20 layers in int8, 4 layers in f32") != std::string::npos);
}

TEST_CASE("a report that cannot be written is known before the work, and leaves no file", "[cli]") {
  const TempFolder folder;
  const ProcessResult result =
      quantize({demonstration_folder(), folder.path("m.vit"), "--report", folder.path("none/report.json")});
  CHECK(result.status == 4);
  CHECK(result.err.find("none/report.json") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder.path("m.vit")));
}

TEST_CASE("vit-quantize compares its file with the source on request", "[cli]") {
  const TempFolder folder;
  folder.write("pictures/cat/a.ppm", ppm(picture(40, 30, 3), 40, 30));
  const ProcessResult result =
      quantize({demonstration_folder(), folder.path("m.vit"), "-q", "--evaluate", folder.path("pictures")});
  CHECK(result.status == 0);
  CHECK(result.out.find("images      1") != std::string::npos);
  CHECK(result.out.find("precision   int8") != std::string::npos);
  CHECK(result.out.find("cosine") != std::string::npos);
}

TEST_CASE("folders that --evaluate cannot use are known before the work, and leave no file", "[cli]") {
  const TempFolder folder;
  folder.write("pictures/unicorn/a.ppm", ppm(picture(40, 30, 3), 40, 30));
  for (const auto& [name, status, says] : {std::tuple{"none", 5, "cannot be listed"}, {"pictures", 2, "unicorn"}}) {
    const ProcessResult result = quantize({demonstration_folder(), folder.path("m.vit"), "--evaluate", folder.path(name)});
    CHECK(result.status == status);
    CHECK(result.err.find(says) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder.path("m.vit")));
  }
}

TEST_CASE("vit-quantize's exit codes and sentences", "[cli]") {
  const TempFolder folder;
  const std::string model = demonstration_folder(), out = folder.path("m.vit");
  struct {
    Words arguments;
    int status;
    const char* says;
  } const cases[] = {{{}, 2, "IN OUT.vit"},
                     {{model}, 2, "found 1"},
                     {{model, out, "more"}, 2, "found 3"},
                     {{model, "-"}, 2, "standard output"},
                     {{model, out, "--scheme", "int4"}, 2, "int8, bf16, f16, f32"},
                     {{model, out, "--min-cosine", "2"}, 2, "--min-cosine"},
                     {{model, out, "--keep", "blocks.0.qkv"}, 2, "PATTERN=bf16"},
                     {{model, out, "--keep", "blcks.*=bf16"}, 2, "blcks.*"},
                     {{model, out, "--scheme", "bf16", "--keep", "blocks.*=f32"}, 2, "scheme int8"},
                     {{folder.path("none"), out}, 3, "found nothing there"},
                     {{model, folder.path("none/m.vit")}, 4, "cannot be written"},
                     {{model, folder.path()}, 4, "is a folder"},
                     {{model, "/dev/full"}, 4, "cannot be written"}};
  for (const auto& one : cases) {
    CAPTURE(one.arguments);
    const ProcessResult result = quantize(one.arguments);
    CHECK(result.status == one.status);
    CHECK(result.err.find(one.says) != std::string::npos);
    CHECK(lines_of(result.err).size() == 1);
    CHECK(is_clean_text(result.err));
  }
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("a changed or truncated file is refused with code 3", "[cli]") {
  const TempFolder folder;
  const std::string out = folder.path("m.vit");
  REQUIRE(quantize({demonstration_folder(), out, "-q"}).status == 0);
  std::string bytes = contents(out);
  folder.write("short.vit", bytes.substr(0, bytes.size() / 2));
  bytes[bytes.size() / 2] ^= 1;
  folder.write("changed.vit", bytes);
  for (const std::string name : {"short.vit", "changed.vit"}) {
    const ProcessResult result = infer({"-m", folder.path(name), "x.png"});
    CHECK(result.status == 3);
    CHECK(lines_of(result.err).size() == 1);
    CHECK(infer({"check", folder.path(name)}).status == 3);
  }
}

/// What a command says; nothing when it fails.
std::string answer_of(const std::string& command) {
  std::string out;
  FILE* const pipe = popen((command + " 2>/dev/null").c_str(), "r");
  char buffer[4096];
  for (size_t n; pipe != nullptr && (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  return pipe != nullptr && pclose(pipe) == 0 ? out : "";
}

TEST_CASE("the script of docs/vit-format.md reads weights of every scheme", "[cli]") {
  if (answer_of("python3 -c 'print(1)'").empty()) {
    WARN("skipped: there is no python3");
    return;
  }
  const TempFolder folder;
  const auto source = Model::open(demonstration_folder());
  std::vector<float> expected(4);
  source->weights().tensors().at("vit.encoder.layer.1.output.dense.weight").to_float(0, 4, expected.data());
  for (const std::string scheme : {"f32", "bf16", "int8"}) {
    const std::string out = folder.path(scheme + ".vit");
    REQUIRE(quantize({demonstration_folder(), out, "--scheme", scheme}).status == 0);
    std::istringstream said(answer_of("python3 '" VIT_SOURCE_DIR "/docs/read_vit.py' '" + out + "' blocks.1.fc2"));
    for (const float weight : expected) {
      double read = 0;
      REQUIRE(said >> read);
      // float32 exactly; half a unit of bfloat16's 8 bits; half a step of 127, with a largest weight below 1.
      CHECK(std::fabs(read - static_cast<double>(weight)) <= (scheme == "f32"    ? 0
                                                              : scheme == "bf16" ? std::fabs(weight) / 256
                                                                                 : 1.0 / 254));
    }
  }
}

/// Ends vit-quantize with SIGKILL after `ms`, and waits until it is gone.
void kill_after(int ms, const std::string& model, const std::string& out) {
  const Words words = command_of("vit-quantize", {model, out, "-q"});
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    if (freopen("/dev/null", "w", stdout) != nullptr) execvp(argv[0], argv.data());
    _exit(127);
  }
  usleep(static_cast<useconds_t>(ms) * 1000);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_CASE("killed at any moment, vit-quantize leaves the old file or the new one", "[cli][long]") {
  const TempFolder folder;
  const std::string model = demonstration_folder(), out = folder.path("out/m.vit");
  folder.write("out/m.vit", "old");
  REQUIRE(quantize({model, folder.path("new.vit"), "-q"}).status == 0);
  const std::string expected = contents(folder.path("new.vit"));
  size_t old_ones = 0, new_ones = 0;
  // The moments spread over the time that it takes; a slow build has fewer of them.
  constexpr int kKills = slow_build() ? 20 : 100;
  for (int i = 0; i < kKills; ++i) {
    kill_after(2 + i * (slow_build() ? 100 : 2), model, out);
    const std::string now = contents(out);
    REQUIRE((now == "old" || now == expected));
    ++(now == "old" ? old_ones : new_ones);
    if (now != "old") folder.write("out/m.vit", "old");
    CHECK(files_in(folder.path("out")) <= 2);  // what a killed one left is put away by the next
  }
  CAPTURE(old_ones, new_ones);
  CHECK(old_ones > 0);
  CHECK(quantize({model, out, "-q"}).status == 0);
  CHECK(contents(out) == expected);
  CHECK(files_in(folder.path("out")) == 1);
}

TEST_CASE("an interrupt ends vit-quantize without a trace", "[cli]") {
  const TempFolder folder;
  const std::string out = folder.path("out/m.vit");
  folder.write("out/m.vit", "old");
  const ProcessResult result = quantize({demonstration_folder(), out, "-q"}, {.interrupt_after_ms = 5});
  if (result.status == 0) {
    CHECK(contents(out) != "old");
  } else {
    CHECK(result.status == 128 + SIGINT);
    CHECK(contents(out) == "old");
  }
  CHECK(files_in(folder.path("out")) == 1);
}

}  // namespace
