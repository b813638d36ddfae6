// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

struct Point {
  size_t size = 0, patch = 0;
};

/// "256/16,384/32".
std::vector<Point> parse_points(const Arguments& arguments) {
  const std::string text = arguments.text("grid", "");
  const auto fail = [&] [[noreturn]] {
    throw Failure(kUsage,
                  arguments.named("grid") + ": expected sizes and patches in pixels, as 256/16,384/32, found '" + text + "'");
  };
  std::vector<Point> points;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    Point point;
    const auto size = std::from_chars(at, end, point.size);
    if (size.ec != std::errc() || size.ptr == end || *size.ptr != '/') fail();
    const auto patch = std::from_chars(size.ptr + 1, end, point.patch);
    if (patch.ec != std::errc() || point.patch < 1 || point.size < point.patch || point.size > 8192) fail();
    points.push_back(point);
    if (patch.ptr == end) return points;
    if (*patch.ptr != ',') fail();
    at = patch.ptr + 1;
  }
}

Model untrained(const std::string& architecture, const Point& point) {
  try {
    return Model::untrained(architecture, point.size, point.patch);
  } catch (const vit::Error& error) {
    throw Failure(kModel, error.what());
  }
}

Json measure_point(const Arguments& arguments, Options options, const Point& point, size_t points) {
  const Model model = untrained(arguments.text("arch", ""), point);
  const double share = 1.0 / static_cast<double>(points);
  const auto session_of = [&](bool profiled) {
    options.profile = profiled;
    return open_session(model, options);
  };
  Session session = session_of(false), profiled = session_of(true);
  Workload work = make_workload(arguments, session);
  fill(work.input);
  const Sample latency = sample(arguments, session, work, share);
  const Profile steps = profile(arguments, profiled, work, share / 4);
  const Json plan = plan_facts(session);
  const double peak = bench::peak_gflops(plan["isa"], plan["threads"]), gflops = steps.operations / latency.ms.median * 1e-6;
  return {{"size", point.size},
          {"patch", point.patch},
          {"batch", work.batch},
          {"runs", latency.ms.runs},
          {"gmac", steps.operations / 2e9},
          {"ms", summary_json(latency.ms)},
          {"gflops", gflops},
          {"share_of_peak", gflops / peak},
          {"weight_bytes", plan["packed_weight_bytes"]},
          {"activation_bytes", plan["activation_bytes"].get<uint64_t>() + plan["scratch_bytes"].get<uint64_t>()},
          {"plan", plan}};
}

}  // namespace

int measure_grid(const Arguments& arguments) {
  if (!arguments.has("arch") || arguments.has("model"))
    throw Failure(kUsage, "--grid: expected --arch, whose model gets random weights at each size, and no --model");
  if (arguments.has("size") || !arguments.inputs.empty())
    throw Failure(kUsage, "--grid: has sizes of its own; expected no --size and no pictures");
  const Options options = parse_session_options(arguments);
  const std::vector<Point> points = parse_points(arguments);
  Output output(arguments.text("output", "-"));

  Report report;
  report.json = {{"model", visible(arguments.text("arch", ""))}, {"points", Json::array()}};
  Section section;
  section.table.left = 0;
  section.table.head = {"size/patch", "GMAC",    "ms min",  "median",      "p90",
                        "spread",     "GFLOP/s", "of peak", "weights MiB", "activations MiB"};
  for (const Point& point : points) {
    const Json row = measure_point(arguments, options, point, points.size());
    report.json["points"].push_back(row);
    const auto number = [](const Json& value) { return value.get<double>(); };
    section.table.rows.push_back(
        {std::to_string(point.size) + "/" + std::to_string(point.patch), fixed(number(row["gmac"]), 2),
         fixed(number(row["ms"]["min"]), 2), fixed(number(row["ms"]["median"]), 2), fixed(number(row["ms"]["p90"]), 2),
         percent(number(row["ms"]["spread"])), fixed(number(row["gflops"]), 1), percent(number(row["share_of_peak"])),
         fixed(number(row["weight_bytes"]) / 1048576, 1), fixed(number(row["activation_bytes"]) / 1048576, 1)});
  }
  const Json& plan = report.json["points"][0]["plan"];
  section.facts = {{"model", report.json["model"]},
                   {"cpu", visible(plan["cpu"].get<std::string>())},
                   {"isa", plan["isa"]},
                   {"threads", plan["threads"].dump()},
                   {"batch", report.json["points"][0]["batch"].dump()}};
  report.sections = {std::move(section)};
  output.write(render(report, arguments.text("format", "text")));
  output.commit();
  return kDone;
}

}  // namespace vit::tool
