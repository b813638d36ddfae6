// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

using Json = nlohmann::ordered_json;

/// The same numbers in every run and on every machine, about as large as normalised pixels.
void fill(std::vector<float>& values) {
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
}

/// Runs until --runs or --seconds are over, at least three times, after one run that does not count. Sorted.
std::vector<double> sample(const Arguments& arguments, Session& session, Workload& work, double seconds_share) {
  const uint64_t runs = arguments.whole("runs", 1, 1000000, 1000000);
  const double limit_ms =
      static_cast<double>(arguments.whole("seconds", 1, 86400, arguments.has("runs") ? 86400 : 3)) * 1e3 * seconds_share;
  run_once(session, work);
  std::vector<double> times;
  double sum = 0;
  while (times.size() < runs && (sum < limit_ms || times.size() < 3)) {
    times.push_back(run_once(session, work));
    sum += times.back();
  }
  std::sort(times.begin(), times.end());
  return times;
}

/// The value that `share` of the sorted times do not exceed.
double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[rank == 0 ? 0 : rank - 1];
}

/// Per run: microseconds, share of the sum, GFLOP/s.
Json steps_json(const Session& session) {
  Json steps = Json::parse(session.describe(VIT_DESCRIBE_PROFILE));
  double sum = 0;
  for (const Json& step : steps) sum += step.value("microseconds", 0.0);
  Json out = Json::array();
  for (const Json& step : steps) {
    const double calls = std::max(1.0, step.value("calls", 1.0)), total = step.value("microseconds", 0.0);
    const double gflops = total > 0 ? step.value("operations", 0.0) / total * 1e-3 : 0.0;
    out.push_back({{"name", step.value("name", "")},
                   {"implementation", step.value("implementation", "")},
                   {"microseconds", total / calls},
                   {"share", sum > 0 ? total / sum : 0.0},
                   {"gflops", gflops}});
  }
  return out;
}

double operations_of_a_run(const Session& session) {
  double sum = 0;
  const Json profile = Json::parse(session.describe(VIT_DESCRIBE_PROFILE));
  for (const Json& step : profile) sum += step.value("operations", 0.0) / std::max(1.0, step.value("calls", 1.0));
  return sum;
}

std::string text_report(const Json& report) {
  char line[256];
  std::string text = "model    " + visible(report["model"].get<std::string>()) + "\n";
  for (const auto& [key, value] : report["plan"].items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    text += name + std::string(name.size() < 24 ? 24 - name.size() : 1, ' ') +
            (value.is_string() ? visible(value.get<std::string>()) : value.dump()) + "\n";
  }
  const Json& ms = report["ms"];
  std::snprintf(
      line, sizeof line,
      "\nbatch %zu of %zu x %zu pixels, %zu runs: min %.3f  median %.3f  p90 %.3f ms  (%.3f ms an image, %.1f GFLOP/s)\n\n",
      report["batch"].get<size_t>(), report["height"].get<size_t>(), report["width"].get<size_t>(), report["runs"].get<size_t>(),
      ms["min"].get<double>(), ms["median"].get<double>(), ms["p90"].get<double>(), report["ms_per_image"].get<double>(),
      report["gflops"].get<double>());
  text += line;
  std::snprintf(line, sizeof line, "%10s  %6s  %8s  %-28s  %s\n", "us", "share", "GFLOP/s", "step", "implementation");
  text += line;
  for (const Json& step : report["steps"]) {
    std::snprintf(line, sizeof line, "%10.1f  %5.1f%%  %8.1f  %-28s  %s\n", step["microseconds"].get<double>(),
                  100 * step["share"].get<double>(), step["gflops"].get<double>(),
                  visible(step["name"].get<std::string>()).substr(0, 60).c_str(),
                  visible(step["implementation"].get<std::string>()).substr(0, 60).c_str());
    text += line;
  }
  return text;
}

}  // namespace

int measure(const Arguments& arguments) {
  const std::string format = arguments.text("format", "text");
  if (arguments.has("input")) throw Failure(kUsage, "--input is read with --worker only");
  Options options = parse_session_options(arguments);
  Output output(arguments.text("output", "-"));
  const Model model = open_model(arguments, Untrained::kAllowed);

  Json report;
  {
    Session session = open_session(model, options);
    Workload work = make_workload(arguments, session);
    fill(work.input);
    const std::vector<double> times = sample(arguments, session, work, 1.0);
    report = {{"model", visible(arguments.text("model", arguments.text("arch", "the demonstration model")))},
              {"plan", Json::object()},
              {"batch", work.batch},
              {"height", work.height},
              {"width", work.width},
              {"runs", times.size()},
              {"ms", {{"min", times.front()}, {"median", quantile(times, 0.5)}, {"p90", quantile(times, 0.9)}}},
              {"ms_per_image", quantile(times, 0.5) / static_cast<double>(work.batch)}};
    const Json plan = Json::parse(session.describe(VIT_DESCRIBE_PLAN));
    for (const auto& [key, value] : plan.items())
      if (!value.is_structured()) report["plan"][key] = value;
  }
  // The clock reads of the profile stay out of the figures above.
  options.profile = true;
  Session session = open_session(model, options);
  Workload work = make_workload(arguments, session);
  fill(work.input);
  sample(arguments, session, work, 0.5);
  report["gflops"] = operations_of_a_run(session) / report["ms"]["median"].get<double>() * 1e-6;
  report["steps"] = steps_json(session);
  output.write(format == "json" ? report.dump(2, ' ', true) + "\n" : text_report(report));
  output.commit();
  return kDone;
}

}  // namespace vit::tool
