// SPDX-License-Identifier: Apache-2.0
// vit-bench: its report and its worker.
#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/support/slow_build.h"
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

TEST_CASE("vit-bench's report has figures of the run, of each step and of the CPU", "[cli]") {
  const ProcessResult result = run_program("vit-bench", {"--runs", "3", "--format", "json"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.out);
  for (const char* key : {"images_per_second", "gmac", "gflops", "peak_gflops", "share_of_peak", "covered"}) {
    CAPTURE(key);
    CHECK(report.at(key).get<double>() > 0);
  }
  CHECK(report.at("ms").at("spread").get<double>() >= 0);
  REQUIRE(report.at("steps").size() > 40);
  for (const auto& step : report.at("steps"))
    for (const char* key : {"microseconds", "gflops", "gbytes_per_second", "share_of_peak"}) CHECK(step.at(key).is_number());
  CHECK(!report.contains("stages"));
}

TEST_CASE("vit-bench times the stages of pictures", "[cli]") {
  const std::string photo = std::string(VIT_SOURCE_DIR) + "/assets/images/chelsea.png";
  const ProcessResult result = run_program("vit-bench", {photo, photo, "--runs", "3", "--format", "json"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.out);
  CHECK(report.at("batch") == 2);
  for (const char* stage : {"decode", "preprocess", "model"}) CHECK(report.at("stages").at(stage).at("min").get<double>() > 0);
  const ProcessResult text = run_program("vit-bench", {photo, "--runs", "3"});
  CHECK(text.out.find("preprocess") != std::string::npos);
  CHECK(run_program("vit-bench", {"/nowhere.png", "--runs", "3"}).status == 5);
  CHECK(run_program("vit-bench", {photo, "--batch", "2"}).status == 2);
}

TEST_CASE("vit-bench writes a trace in which each thread does every step, one behind the other, for most of a run", "[cli]") {
  const TempFolder folder;
  const std::string path = folder.path("trace.json");
  const ProcessResult result = run_program("vit-bench", {"--arch", "vit_tiny_patch16_224", "--size", "96", "--threads", "2",
                                                         "--runs", "3", "--trace", path, "--format", "json"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.out), trace = nlohmann::json::parse(contents(path));
  std::map<int, std::vector<nlohmann::json>> tracks;  // by thread; 2: the runs
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") == "M") continue;
    REQUIRE(event.at("ph") == "X");
    tracks[event.at("tid").get<int>()].push_back(event);
  }
  REQUIRE(tracks.size() == 3);
  REQUIRE(tracks[2].size() == 3);

  const auto begin = [](const nlohmann::json& event) { return event.at("ts").get<double>(); };
  const auto end = [&](const nlohmann::json& event) { return begin(event) + event.at("dur").get<double>(); };
  const auto run_of = [](const nlohmann::json& event) { return event.at("args").at("run").get<size_t>(); };
  double covered[2][3] = {};
  for (int thread = 0; thread < 2; ++thread) {
    std::vector<nlohmann::json> steps[3];
    size_t waits = 0;
    double last = 0;
    for (const auto& event : tracks[thread]) {
      const auto& run = tracks[2].at(run_of(event));
      // Times are doubles of microseconds: an end that is summed again is off by less than a nanosecond.
      CHECK(begin(event) >= last - 1e-3);
      CHECK(begin(event) >= begin(run) - 1e-3);
      CHECK(end(event) <= end(run) + 1e-3);
      last = end(event);
      covered[thread][run_of(event)] += event.at("dur").get<double>() / run.at("dur").get<double>();
      if (event.at("cat") == "step") steps[run_of(event)].push_back(event);
      waits += event.at("cat") == "wait";
    }
    CHECK(waits > 0);
    for (const auto& of_run : steps) {
      REQUIRE(of_run.size() == report.at("steps").size());
      for (size_t s = 0; s < of_run.size(); ++s) {
        CHECK(of_run[s].at("name") == report.at("steps")[s].at("name"));
        CHECK(of_run[s].at("args").at("implementation") == report.at("steps")[s].at("implementation"));
      }
    }
  }
  // What is not covered is what a call does before and behind its region, some microseconds, and one of three runs is not
  // interrupted there.
  for (const auto& of_thread : covered) CHECK(*std::max_element(of_thread, of_thread + 3) > 0.5);

  CHECK(run_program("vit-bench", {"--runs", "3", "--trace", "-"}).status == 2);
  CHECK(run_program("vit-bench", {"--kernels", "--trace", path}).status == 2);
  CHECK(run_program("vit-bench", {"--runs", "3", "--trace", "/nowhere/trace.json"}).status == 4);
}

TEST_CASE("vit-bench measures a grid of sizes and patches, and counts what it computes", "[cli][long]") {
  const std::vector<std::string> flags = {"--arch", "vit_tiny_patch16_224", "--grid", "64/16,64/32", "--runs", "3"};
  std::vector<std::string> json_flags = flags;
  json_flags.insert(json_flags.end(), {"--format", "json"});
  const ProcessResult result = run_program("vit-bench", json_flags);
  INFO(result.err);
  REQUIRE(result.status == 0);
  const auto points = nlohmann::json::parse(result.out).at("points");
  REQUIRE(points.size() == 2);
  const double size[] = {64, 64}, patch[] = {16, 32};
  for (size_t i = 0; i < 2; ++i) {
    CHECK(points[i].at("size") == size[i]);
    CHECK(points[i].at("patch") == patch[i]);
    CHECK(points[i].at("runs") == 3);
    CHECK(points[i].at("weight_bytes") > 5000000 * 4);
    CHECK(points[i].at("activation_bytes") > 0);
    // Multiply-adds of ViT-Ti (C = 192, 12 blocks, an MLP of 4 C, 1000 classes) with T tokens, one of which leaves the last
    // block.
    const double grid = size[i] / patch[i], T = grid * grid + 1, C = 192;
    const double block = 12 * T * C * C + 2 * T * T * C, last = (2 * T + 10) * C * C + 2 * T * C;
    const double macs = (T - 1) * 3 * patch[i] * patch[i] * C + 11 * block + last + 1000 * C;
    CHECK(points[i].at("gmac").get<double>() == Approx(macs * 1e-9).epsilon(1e-9));
  }
  std::vector<std::string> markdown_flags = flags;
  markdown_flags.insert(markdown_flags.end(), {"--format", "markdown"});
  const ProcessResult markdown = run_program("vit-bench", markdown_flags);
  size_t rows = 0;
  for (const std::string& line : lines_of(markdown.out)) rows += line.rfind("| 64/", 0) == 0;
  CHECK(rows == 2);

  for (const char* bad : {"", "64", "64/", "/16", "64/16,", "64/0", "16/32", "9000/16", "64/16x"})
    CHECK(run_program("vit-bench", {"--arch", "vit_tiny_patch16_224", "--grid", bad}).status == 2);
  CHECK(run_program("vit-bench", {"--grid", "64/16"}).status == 2);
  CHECK(run_program("vit-bench", {"--arch", "vit_tiny_patch16_224", "--grid", "64/16", "--kernels"}).status == 2);
  CHECK(run_program("vit-bench", {"--arch", "no_such_model", "--grid", "64/16"}).status == 3);
}

TEST_CASE("every kernel of the list has a case in the benchmark, and is right", "[cli][long]") {
  if (slow_build()) {
    WARN("skipped in this build: shapes to be measured take minutes; tests/kernels has the same kernels at smaller ones");
    return;
  }
  std::vector<std::string> names;
#define VIT_KERNEL(name, ...) names.push_back(#name);
#include "ops/kernel_list.inc"
#undef VIT_KERNEL
  const ProcessResult result = run_program("vit-bench", {"--kernels", "--seconds", "1", "--format", "json"}, {.seconds = 300});
  INFO(result.err);
  CHECK(result.status == 0);
  const auto report = nlohmann::json::parse(result.out);
  REQUIRE(report.at("kernels").size() == names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    CAPTURE(names[i]);
    CHECK(report.at("kernels")[i].at("name") == names[i]);
    CHECK(report.at("kernels")[i].at("check") == "right");
    CHECK(report.at("kernels")[i].at("us").at("median") > 0);
  }
  CHECK(report.at("awkward_shapes").size() == 5);
  for (const char* list : {"against_onednn", "awkward_shapes"})
    for (const auto& contest : report.at(list)) CHECK(contest.at("check") == "right");
  CHECK(run_program("vit-bench", {"--kernels", "--threads", "2"}).status == 2);
}

TEST_CASE("a report in Markdown is lists and tables whose rows are as wide as their heads", "[cli]") {
  const ProcessResult result = run_program("vit-bench", {"--runs", "3", "--format", "markdown"});
  REQUIRE(result.status == 0);
  size_t tables = 0, bars = 0;
  for (const std::string& line : lines_of(result.out)) {
    CHECK((line.empty() || line.rfind("- ", 0) == 0 || line.rfind("|", 0) == 0));
    if (line.empty() || line[0] != '|') bars = 0;
    if (line.empty() || line[0] != '|') continue;
    const auto here = static_cast<size_t>(std::count(line.begin(), line.end(), '|'));
    tables += bars == 0;
    if (bars != 0) CHECK(here == bars);
    bars = here;
  }
  CHECK(tables == 2);
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
