// SPDX-License-Identifier: Apache-2.0
// Labels and paths are untrusted: lossless in JSON, visible elsewhere, never raw.
#include <filesystem>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

const std::vector<std::string> kLabels = {"plain",
                                          "quote\" and ''",
                                          "comma, semicolon;",
                                          "line\nbreak\r\n",
                                          "\x1b[31mred\x1b[0m",
                                          "tab\tbell\x07 del\x7f",
                                          "C1 \xc2\x9b"
                                          "31m and \xc2\x85",
                                          "=cmd()|' /C calc'!A0",
                                          "back\\slash \\n",
                                          "Katze \xf0\x9f\x90\x88 \xe7\x8c\xab"};

/// The demonstration model under these labels.
std::string model_with_labels(const TempFolder& folder) {
  json config = json::parse(contents(demonstration_folder() + "/config.json"));
  config.erase("label2id");
  for (size_t i = 0; i < kLabels.size(); ++i) config["id2label"][std::to_string(i)] = kLabels[i];
  folder.write("model/config.json", config.dump());
  for (const char* name : {"model.safetensors", "preprocessor_config.json"})
    std::filesystem::copy_file(demonstration_folder() + "/" + name, folder.path("model/") + name);
  return folder.path("model");
}

/// Fields of RFC 4180 text without line breaks inside fields.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"')
      fields.back() += line[++i];
    else if (line[i] == '"')
      quoted = !quoted;
    else if (line[i] == ',' && !quoted)
      fields.emplace_back();
    else
      fields.back() += line[i];
  }
  return fields;
}

}  // namespace

TEST_CASE("labels with quotes, line breaks and escape codes are exact in JSON and visible elsewhere", "[cli]") {
  const TempFolder folder;
  const std::string model = model_with_labels(folder), photo = sample_photo();
  for (const std::string format : {"text", "json", "jsonl", "csv"}) {
    CAPTURE(format);
    const ProcessResult result = infer({"-m", model, "--format", format, "--top-k", "10", photo});
    CHECK(result.status == 0);
    CHECK(is_clean_text(result.out));
    CHECK(is_clean_text(result.err));
    CHECK(lines_of(result.out).size() == (format == "json" ? 3u : format == "jsonl" ? 1u : 11u));
  }
  const json array = json::parse(infer({"-m", model, "--format", "json", "--top-k", "10", photo}).out);
  for (const json& label : array[0]["labels"]) CHECK(label["label"] == kLabels[label["index"].get<size_t>()]);

  const std::vector<std::string> shown = {kLabels[0],
                                          kLabels[1],
                                          kLabels[2],
                                          "line\\nbreak\\r\\n",
                                          "\\x1b[31mred\\x1b[0m",
                                          "tab\\tbell\\x07 del\\x7f",
                                          "C1 \\u009b31m and \\u0085",
                                          kLabels[7],
                                          kLabels[8],
                                          kLabels[9]};
  const auto rows = lines_of(infer({"-m", model, "--format", "csv", "--top-k", "10", photo}).out);
  REQUIRE(rows.size() == 11);
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto fields = csv_fields(rows[i]);
    REQUIRE(fields.size() == 6);
    CHECK(fields[2] == shown[std::stoul(fields[3])]);
  }
}

TEST_CASE("paths that are not UTF-8 or hold control characters are processed and shown escaped", "[cli]") {
  const TempFolder folder;
  const std::string bytes = ppm(picture(12, 12, 2), 12, 12);
  const std::vector<std::string> names = {"caf\xe9.ppm",
                                          "\xff\xfe.ppm",
                                          "a\nb.ppm",
                                          "\x1b]0;title\x07.ppm",
                                          "\xc2\x9b"
                                          "31m.ppm",
                                          "\xed\xa0\x80.ppm",
                                          "q\"c,.ppm",
                                          "\xc3\xa9.ppm"};
  std::vector<std::string> paths;
  for (const std::string& name : names) paths.push_back(folder.write(name, bytes));
  for (const std::string format : {"text", "json", "jsonl", "csv"}) {
    CAPTURE(format);
    std::vector<std::string> arguments{"--format", format, "--top-k", "1"};
    arguments.insert(arguments.end(), paths.begin(), paths.end());
    arguments.push_back(folder.path("missing\n\xff\x1b[0m"));
    const ProcessResult result = infer(arguments);
    CHECK(result.status == 1);
    CHECK(is_clean_text(result.out));
    CHECK(is_clean_text(result.err));
    CHECK(result.err.find("missing") == result.err.rfind("missing"));  // the path once
  }
  std::vector<std::string> arguments{"--format", "json"};
  arguments.insert(arguments.end(), paths.begin(), paths.end());
  const json array = json::parse(infer(arguments).out);
  REQUIRE(array.size() == names.size());
  CHECK(array[0]["path"] == folder.path("caf\\xe9.ppm"));
  CHECK(array[2]["path"] == paths[2]);
  CHECK(array[7]["path"] == paths[7]);
}

TEST_CASE("a model's and an option's strange names stay harmless in sentences", "[cli]") {
  for (const std::string name : {"\x1b[31m", "\xff", "a\nb", "\xc2\x9b"}) {
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"-m", "/nowhere/" + name, "x"},
                                                                       {"--" + name, "x"},
                                                                       {"--top-k", name, "x"},
                                                                       {"--format", name, "x"},
                                                                       {"--tap", name, "x"},
                                                                       {"--isa", name, "x"},
                                                                       {"-o", "/nowhere/" + name, "x"},
                                                                       {"/nowhere/" + name},
                                                                       {"run", "--input", "/nowhere/" + name}}) {
      const ProcessResult result = infer(arguments);
      CAPTURE(result.err);
      CHECK(result.status != 0);
      CHECK(is_clean_text(result.err));
      CHECK(lines_of(result.err).size() <= 3);
    }
  }
}
