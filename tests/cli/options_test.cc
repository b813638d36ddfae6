// SPDX-License-Identifier: Apache-2.0
// Exit codes and what is refused.
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;

namespace {

/// Ends with `status`, nothing on standard output, one to three clean lines on standard error that hold `word`.
void check_refused(const std::vector<std::string>& arguments, int status, const std::string& word,
                   const ProcessInput& input = {}) {
  const ProcessResult result = infer(arguments, input);
  std::string line;
  for (const std::string& argument : arguments) line += argument + " ";
  CAPTURE(line, result.err);
  CHECK(result.status == status);
  CHECK(result.out.empty());
  CHECK(is_clean_text(result.err));
  const size_t count = lines_of(result.err).size();
  CHECK((count >= 1 && count <= 3));
  CHECK(result.err.find(word) != std::string::npos);
}

}  // namespace

TEST_CASE("a command line that makes no sense ends with 2 and a sentence", "[cli]") {
  const std::string photo = sample_photo(), model = demonstration_folder();
  check_refused({}, 2, "image");
  check_refused({"embed"}, 2, "image");
  check_refused({"--topk", "3", photo}, 2, "did you mean --top-k?");
  check_refused({"--nonsense", photo}, 2, "--nonsense");
  check_refused({"-z", photo}, 2, "-z");
  check_refused({photo, "--top-k"}, 2, "missing");
  check_refused({"-m", "--format", "json", photo}, 2, "missing");
  check_refused({"--top-k", "0", photo}, 2, "--top-k");
  check_refused({"--top-k=five", photo}, 2, "five");
  check_refused({"--top-k", "5x", photo}, 2, "5x");
  check_refused({"--top-k", "99999999999999999999999", photo}, 2, "--top-k");
  check_refused({"--threads", "-1", photo}, 2, "--threads");
  check_refused({"--threads", "1000000", photo}, 2, "--threads");
  check_refused({"--format", "xml", photo}, 2, "xml");
  check_refused({"--size", "0", photo}, 2, "--size");
  check_refused({"--size", "3x32", photo}, 2, "expected at least one patch");
  check_refused({"--size", "32x", photo}, 2, "--size");
  check_refused({"--size", "32x32x32", photo}, 2, "--size");
  check_refused({"--isa", "nonsense", photo}, 2, "nonsense");
  check_refused({photo}, 2, "VIT_ISA", {.environment = {"VIT_ISA=nonsense"}});
  check_refused({"--backend", "other", photo}, 2, "other");
  check_refused({"--precision", "int4", photo}, 2, "int8");
  check_refused({"--precision", "int8", "--backend", "onednn", photo}, 2, "precision int8");
  check_refused({"--exif", "maybe", photo}, 2, "maybe");
  check_refused({"--pillow-order", "11", photo}, 2, "11");
  check_refused({"--max-pixels", "0", photo}, 2, "--max-pixels");
  check_refused({"--latency", "--throughput", photo}, 2, "--throughput: expected no --latency beside it");
  check_refused({"--tap", "pixels", photo}, 2, "NODE=FILE");
  check_refused({"--tap", "nothing=/tmp/x.npy", photo}, 2, "nothing");
  check_refused({"embed", "--top-k", "3", photo}, 2, "--top-k");
  check_refused({"info", photo}, 2, "no inputs");
  check_refused({"explain", "--nodes"}, 2, "--nodes");
  check_refused({"run"}, 2, "--input");
  check_refused({"run", "--input", "x.npy", "--want", "everything"}, 2, "everything");
}

TEST_CASE("a model that cannot be loaded ends with 3 and a sentence", "[cli]") {
  const TempFolder folder;
  const std::string photo = sample_photo();
  check_refused({"-m", folder.path("missing"), photo}, 3, "missing");
  check_refused({"-m", folder.path(), photo}, 3, folder.path());
  folder.write("damaged/config.json", "{\"model_type\": \"vit\", ");
  check_refused({"-m", folder.path("damaged"), photo}, 3, "config.json");
  folder.write("other/config.json", "{\"model_type\": \"bert\"}");
  folder.write("other/model.safetensors", "");
  check_refused({"-m", folder.path("other"), photo}, 3, "other");
  check_refused({"info", "-m", folder.path("missing")}, 3, "missing");
  check_refused({"-m", demonstration_folder(), "--max-header", "100", photo}, 3, "100");
}

TEST_CASE("labels come out of a file of lines or JSON, and another number of them is refused", "[cli]") {
  const TempFolder folder;
  std::string text, list = "[", object = "{";
  for (int i = 0; i < 10; ++i) {
    const std::string label = "label " + std::to_string(i);
    text += label + (i % 2 == 0 ? "\r\n" : "\n");
    list += (i == 0 ? "\"" : ", \"") + label + "\"";
    object += (i == 0 ? "\"" : ", \"") + std::to_string(9 - i) + "\": \"label " + std::to_string(9 - i) + "\"";
  }
  for (const std::string& content : {text, list + "]", object + "}"}) {
    const ProcessResult result =
        infer({"--labels", folder.write("labels", content), "--format", "csv", "--top-k", "1", sample_photo()});
    CAPTURE(content, result.err);
    CHECK(result.out.find(",1,label 3,3,") != std::string::npos);  // the cat
  }
  check_refused({"--labels", folder.write("few", "a\nb\n"), sample_photo()}, 2,
                "expected 10 labels as the model has, the file has 2");
  check_refused({"--labels", folder.write("none", ""), sample_photo()}, 2, "has 0");
  check_refused({"--labels", folder.write("numbers", "[1,2,3]"), sample_photo()}, 2, "strings");
  check_refused({"--labels", folder.write("gap", "{\"0\": \"a\", \"5\": \"b\"}"), sample_photo()}, 2, "1 is missing");
  check_refused({"--labels", folder.path("missing"), sample_photo()}, 2, "missing");
  check_refused({"--labels", folder.path(), sample_photo()}, 2, "regular");
}

TEST_CASE("help and version go to standard output and end with 0", "[cli]") {
  for (const std::string command : {"", "classify", "embed", "evaluate", "run", "info", "explain"}) {
    CAPTURE(command);
    const ProcessResult help =
        infer(command.empty() ? std::vector<std::string>{"--help"} : std::vector<std::string>{command, "--help"});
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    CHECK(help.out.find("--threads") != std::string::npos);
    CHECK(help.out.find("[own]") != std::string::npos);  // a default
    CHECK(is_clean_text(help.out));
  }
  CHECK(infer({"help"}).out == infer({"--help"}).out);
  CHECK(infer({"help", "info"}).out == infer({"info", "--help"}).out);
  CHECK(infer({"version"}).out == infer({"--version"}).out);
  const ProcessResult version = infer({"--version"});
  CHECK(version.status == 0);
  CHECK(lines_of(version.out).size() == 1);
  CHECK(version.out.find(vit_version()) != std::string::npos);
}

TEST_CASE("options are understood in every spelling and place, and the last one counts", "[cli]") {
  const std::string photo = sample_photo(), model = demonstration_folder();
  const std::string expected = infer({"classify", "--model", model, "--top-k", "2", "--format", "csv", photo}).out;
  REQUIRE(lines_of(expected).size() == 3);
  CHECK(infer({"-m", model, "--top-k=2", photo, "--format=csv"}).out == expected);
  CHECK(infer({"-m" + model, "classify", "--format", "json", photo, "--format", "csv", "--top-k", "9", "--top-k", "2"}).out ==
        expected);
  CHECK(infer({"-m", model, "--top-k", "2", "--format", "csv", "--", photo}).out == expected);
  CHECK(infer({"-m", model, "--top-k", "2", "--format", "csv", "--precision", "f32", "--threads", "0", photo}).out == expected);
}

TEST_CASE("names that look like options, lists or commands are only names", "[cli]") {
  const TempFolder folder;
  const std::string bytes = ppm(picture(9, 9, 4), 9, 9);
  for (const std::string name : {"[a,b]", "-x.ppm", "embed", "a=b", "{c}", "%41", " spaced ", "'q\"q'"}) {
    CAPTURE(name);
    const ProcessResult result = infer({"--format", "jsonl", "--", folder.write(name, bytes)});
    CHECK(result.status == 0);
    CHECK(lines_of(result.out).size() == 1);
  }
}
