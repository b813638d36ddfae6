// SPDX-License-Identifier: Apache-2.0
// The formats of classify and embed hold the same numbers.
#include <charconv>
#include <cstring>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/npy_files.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

/// The library's own answers, to compare with.
std::vector<vit_class> expected_classes(const std::string& image, size_t top_k) {
  static const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const vit_image one = vit_image_path(image.c_str());
  std::vector<vit_class> classes(10);
  size_t found = 0;
  REQUIRE(vit_classify(session.get(), &one, 1, top_k, classes.data(), &found) == VIT_OK);
  classes.resize(found);
  return classes;
}

/// A decimal as a float32, and nothing after it.
float read_float(const std::string& text) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  REQUIRE(error == std::errc());
  REQUIRE(end == text.data() + text.size());
  return value;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == ',')
      fields.emplace_back();
    else
      fields.back() += c;
  }
  return fields;
}

}  // namespace

TEST_CASE("json, jsonl and csv hold the library's labels and numbers to the last bit", "[cli]") {
  const std::string photo = sample_photo();
  const auto expected = expected_classes(photo, 4);
  const auto check_json = [&](const json& object) {
    CHECK(object.at("path") == photo);
    REQUIRE(object.at("labels").size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const json& label = object["labels"][i];
      CHECK(label.at("label") == expected[i].label);
      CHECK(label.at("index") == expected[i].index);
      CHECK(label.at("probability").get<float>() == expected[i].probability);
      CHECK(label.at("logit").get<float>() == expected[i].logit);
    }
  };
  const json array = json::parse(infer({"--top-k", "4", "--format", "json", photo, photo}).out);
  REQUIRE(array.size() == 2);
  check_json(array[0]);
  check_json(array[1]);
  const auto lines = lines_of(infer({"--top-k", "4", "--format", "jsonl", photo, photo}).out);
  REQUIRE(lines.size() == 2);
  for (const std::string& line : lines) check_json(json::parse(line));

  const std::string csv = infer({"--top-k", "4", "--format", "csv", photo}).out;
  CHECK(csv.find("path,rank,label,index,probability,logit\r\n") == 0);
  const auto rows = lines_of(csv);
  REQUIRE(rows.size() == 5);
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto fields = split(rows[i + 1]);
    REQUIRE(fields.size() == 6);
    CHECK(fields[0] == photo);
    CHECK(fields[1] == std::to_string(i + 1));
    CHECK(fields[2] == expected[i].label);
    CHECK(fields[3] == std::to_string(expected[i].index));
    CHECK(read_float(fields[4]) == expected[i].probability);
    CHECK(read_float(fields[5]) == expected[i].logit);
  }
}

TEST_CASE("text has a line for the path and one for each label", "[cli]") {
  const auto lines = lines_of(infer({"--top-k", "3", sample_photo()}).out);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == sample_photo());
  CHECK(lines[1] == "   91.7%  cat");
}

TEST_CASE("top-k beyond the number of labels gives them all", "[cli]") {
  const json array = json::parse(infer({"--top-k", "1000000", "--format", "json", sample_photo()}).out);
  REQUIRE(array[0]["labels"].size() == 10);
  for (size_t i = 1; i < 10; ++i) CHECK(array[0]["labels"][i - 1]["probability"] >= array[0]["labels"][i]["probability"]);
  const json usual = json::parse(infer({"--format", "json", sample_photo()}).out);
  CHECK(usual[0]["labels"].size() == 5);
}

TEST_CASE("npy holds a row for each image that did not fail", "[cli]") {
  const TempFolder folder;
  const std::string photo = sample_photo(), file = folder.path("logits.npy");
  CHECK(infer({"--format", "npy", "-o", file, photo, folder.path("missing"), photo}).status == 1);
  const Npy logits = read_npy(file);
  CHECK(logits.shape == std::vector<size_t>{2, 10});
  for (const vit_class& c : expected_classes(photo, 10)) {
    CHECK(logits.values[c.index] == c.logit);
    CHECK(logits.values[10 + c.index] == c.logit);
  }
  // Through a pipe or onto standard output: the same bytes.
  CHECK(infer({"--format", "npy", photo, folder.path("missing"), photo}).out == contents(file));
  CHECK(infer({"--format", "npy", "-o", file, folder.path("missing")}).status == 5);
  CHECK(read_npy(file).shape == std::vector<size_t>{0, 10});
}

TEST_CASE("embed writes one vector for each image in every format", "[cli]") {
  const TempFolder folder;
  const std::string photo = sample_photo(), file = folder.path("e.npy");
  REQUIRE(infer({"embed", "--format", "npy", "-o", file, photo, photo}).status == 0);
  const Npy npy = read_npy(file);
  CHECK(npy.shape == std::vector<size_t>{2, 128});
  const json array = json::parse(infer({"embed", "--format", "json", photo}).out);
  const auto embedding = array[0].at("embedding").get<std::vector<float>>();
  REQUIRE(embedding.size() == 128);
  CHECK(std::memcmp(embedding.data(), npy.values.data(), 128 * 4) == 0);
  const json line = json::parse(infer({"embed", "--format", "jsonl", photo}).out);
  CHECK(line == array[0]);
  const auto rows = lines_of(infer({"embed", "--format", "csv", photo}).out);
  REQUIRE(rows.size() == 2);
  const auto fields = split(rows[1]);
  REQUIRE(fields.size() == 129);
  CHECK(split(rows[0]).size() == 129);
  for (size_t i = 0; i < 128; ++i) CHECK(read_float(fields[i + 1]) == embedding[i]);
  CHECK(lines_of(infer({"embed", photo}).out).size() == 1);
}

TEST_CASE("info and explain are JSON on request and text otherwise", "[cli]") {
  for (const std::string command : {"info", "explain"}) {
    CAPTURE(command);
    const ProcessResult text = infer({command});
    CHECK(text.status == 0);
    CHECK(is_clean_text(text.out));
    CHECK(json::parse(infer({command, "--format", "json"}).out).is_object());
    CHECK(infer({command, "--format", "csv"}).status == 2);
  }
  const json info = json::parse(infer({"info", "--format", "json"}).out);
  for (const char* section : {"model", "tensors", "nodes", "plan"}) CHECK(info.contains(section));
  CHECK(info["model"]["labels"] == 10);
  const json recipe = json::parse(infer({"explain", "--format", "json", "--exif", "ignore"}).out);
  CHECK(recipe.at("orientation").at("origin") == "option exif");
  CHECK(recipe.at("resize").at("origin").get<std::string>().find("preprocessor_config.json") != std::string::npos);
}
