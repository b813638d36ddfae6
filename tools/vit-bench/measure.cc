// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

std::vector<std::string> summary_cells(const std::string& name, const bench::Summary& s, double divisor = 1) {
  return {name, fixed(s.min / divisor, 3), fixed(s.median / divisor, 3), fixed(s.p90 / divisor, 3), percent(s.spread)};
}

/// The plan's own words, and what was run.
Section facts_section(const Json& report) {
  Section section;
  section.facts.emplace_back("model", visible(report["model"].get<std::string>()));
  for (const auto& [key, value] : report["plan"].items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    section.facts.emplace_back(name, value.is_string() ? visible(value.get<std::string>()) : value.dump());
  }
  return section;
}

Section latency_section(const Json& report, const Sample& sample, bool pictures) {
  const auto number = [&](const char* key) { return report[key].get<double>(); };
  const double batch = number("batch");
  Section section;
  section.facts.emplace_back("batch", fixed(batch, 0) + (pictures ? (batch > 1 ? " pictures" : " picture")
                                                                  : " of " + fixed(number("height"), 0) + " x " +
                                                                        fixed(number("width"), 0) + " pixels"));
  section.facts.emplace_back("runs", fixed(number("runs"), 0));
  section.facts.emplace_back("throughput", fixed(number("images_per_second"), 1) + " images/s");
  section.facts.emplace_back("computed", fixed(number("gmac"), 3) + " GMAC a run, " + fixed(number("gflops"), 1) + " GFLOP/s, " +
                                             percent(number("share_of_peak")) + " of the " + fixed(number("peak_gflops"), 1) +
                                             " that these threads reach in float32 with operands in registers");
  section.table.head = {"ms", "min", "median", "p90", "spread"};
  section.table.rows.push_back(summary_cells("run", sample.ms));
  if (batch > 1) section.table.rows.push_back(summary_cells("image", sample.ms, batch));
  if (pictures) {
    section.table.rows.push_back(summary_cells("decode", sample.stages.decode));
    section.table.rows.push_back(summary_cells("preprocess", sample.stages.preprocess));
    section.table.rows.push_back(summary_cells("model", sample.stages.model));
  }
  return section;
}

Json step_json(const StepFigures& step, double sum_us, double peak) {
  const double us = step.microseconds, gflops = us > 0 ? step.operations / us * 1e-3 : 0;
  return {{"name", step.name},
          {"implementation", step.implementation},
          {"microseconds", us},
          {"share", sum_us > 0 ? us / sum_us : 0.0},
          {"gflops", gflops},
          {"gbytes_per_second", us > 0 ? step.bytes / us * 1e-3 : 0.0},
          {"share_of_peak", gflops / peak}};
}

Section steps_section(const Json& report) {
  Section section;
  section.facts.emplace_back("steps", percent(report["covered"].get<double>()) + " of the time of a run");
  section.table.left = 2;
  section.table.head = {"step", "implementation", "us", "share", "GFLOP/s", "of peak", "GB/s"};
  for (const Json& step : report["steps"]) {
    const auto number = [&](const char* key) { return step[key].get<double>(); };
    section.table.rows.push_back({visible(step["name"].get<std::string>()), visible(step["implementation"].get<std::string>()),
                                  fixed(number("microseconds"), 1), percent(number("share")), fixed(number("gflops"), 1),
                                  percent(number("share_of_peak")), fixed(number("gbytes_per_second"), 1)});
  }
  return section;
}

}  // namespace

int measure(const Arguments& arguments) {
  Options options = parse_session_options(arguments);
  Output output(arguments.text("output", "-"));
  std::optional<Output> trace;
  if (arguments.has("trace")) {
    if (arguments.text("trace", "") == "-" && output.path() == "-")
      throw Failure(kUsage, "--trace: expected a file, since the report goes to standard output");
    trace.emplace(arguments.text("trace", ""));
  }
  const Model model = open_model(arguments, Untrained::kAllowed);

  Report report;
  Json& json = report.json;
  Sample latency;
  bool pictures = false;
  double peak = 0;
  {
    Session session = open_session(model, options);
    Workload work = make_workload(arguments, session);
    fill(work.input);
    pictures = !work.images.empty();
    latency = sample(arguments, session, work, 1.0);
    const Json plan = plan_facts(session);
    peak = bench::peak_gflops(plan["isa"], plan["threads"]);
    json = {{"model", visible(arguments.text("model", arguments.text("arch", "the demonstration model")))},
            {"plan", plan},
            {"batch", work.batch},
            {"height", work.height},
            {"width", work.width},
            {"runs", latency.ms.runs},
            {"ms", summary_json(latency.ms)},
            {"ms_per_image", latency.ms.median / static_cast<double>(work.batch)},
            {"images_per_second", 1e3 * static_cast<double>(work.batch) / latency.ms.median}};
    if (pictures)
      json["stages"] = {{"decode", summary_json(latency.stages.decode)},
                        {"preprocess", summary_json(latency.stages.preprocess)},
                        {"model", summary_json(latency.stages.model)}};
  }
  options.profile = true;
  Session session = open_session(model, options);
  Workload work = make_workload(arguments, session);
  fill(work.input);
  const Profile steps = profile(arguments, session, work, 0.5);
  if (trace) trace->write(trace_runs(arguments, session, work).dump() + "\n");
  peak = std::max(peak, bench::peak_gflops(json["plan"]["isa"], json["plan"]["threads"]));

  const double model_ms = pictures ? latency.stages.model.median : latency.ms.median;
  json["gmac"] = steps.operations / 2e9;
  json["gflops"] = steps.operations / model_ms * 1e-6;
  json["peak_gflops"] = peak;
  json["share_of_peak"] = steps.operations / model_ms * 1e-6 / peak;
  json["covered"] = steps.covered;
  double sum_us = 0;
  for (const StepFigures& step : steps.steps) sum_us += step.microseconds;
  json["steps"] = Json::array();
  for (const StepFigures& step : steps.steps) json["steps"].push_back(step_json(step, sum_us, peak));

  report.sections = {facts_section(json), latency_section(json, latency, pictures), steps_section(json)};
  output.write(render(report, arguments.text("format", "text")));
  output.commit();
  if (trace) trace->commit();
  return kDone;
}

}  // namespace vit::tool
