// SPDX-License-Identifier: Apache-2.0
// vit-bench: its report and its worker.
#include <cstring>
#include <sstream>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;

TEST_CASE("vit-bench reports latency and steps whose shares are a whole", "[cli]") {
  const ProcessResult result = run_program("vit-bench", {"--runs", "3", "--threads", "2", "--batch", "2", "--format", "json"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.out);
  CHECK(report.at("runs") == 3);
  CHECK(report.at("batch") == 2);
  CHECK(report.at("ms").at("min") <= report.at("ms").at("median"));
  CHECK(report.at("ms").at("median") <= report.at("ms").at("p90"));
  double shares = 0;
  for (const auto& step : report.at("steps")) shares += step.at("share").get<double>();
  CHECK(std::abs(shares - 1) < 1e-9);
  const ProcessResult text = run_program("vit-bench", {"--runs", "3"});
  CHECK(text.status == 0);
  CHECK(text.out.find("GFLOP/s") != std::string::npos);
  CHECK(run_program("vit-bench", {"--runs", "0"}).status == 2);
  CHECK(run_program("vit-bench", {"-m", "/nowhere"}).status == 3);
}

TEST_CASE("the worker answers each line with as many latencies and writes the logits", "[cli]") {
  const TempFolder folder;
  std::vector<float> input(2 * 3 * 32 * 32);
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 17) / 8 - 1;
  const std::string in = folder.write("in", {reinterpret_cast<const char*>(input.data()), input.size() * 4}),
                    out = folder.path("out");
  const std::vector<std::string> flags = {
      "--worker", "--model", demonstration_folder(), "--threads", "2", "--batch", "2", "--input", in,
      "--output", out,       "--precision",          "f32"};
  const ProcessResult result = run_program("vit-bench", flags, {.input = "run 1\nrun 3\nrun 2\n"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    std::istringstream numbers(lines[i]);
    size_t count = 0;
    for (double ms; numbers >> ms; ++count) CHECK(ms > 0);
    CHECK(count == std::vector<size_t>{1, 3, 2}[i]);
  }
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  std::vector<float> expected(20), logits(20);
  REQUIRE(vit_run(session.get(), input.data(), 2, 32, 32, VIT_OUTPUT_LOGITS, expected.data(), 20) == VIT_OK);
  const std::string bytes = contents(out);
  REQUIRE(bytes.size() == 80);
  std::memcpy(logits.data(), bytes.data(), 80);
  CHECK(logits == expected);

  CHECK(run_program("vit-bench", flags, {.input = "walk 1\n"}).status == 2);
  folder.write("in", "short");
  CHECK(run_program("vit-bench", flags, {.input = "run 1\n"}).status != 0);
}
