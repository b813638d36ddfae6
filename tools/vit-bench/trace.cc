// SPDX-License-Identifier: Apache-2.0
// --trace: "Trace Event Format" of Chrome, which chrome://tracing and ui.perfetto.dev show.
#include <algorithm>
#include <chrono>

#include "tools/common/text.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

constexpr int kRuns = 3;

double now_us() { return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Json named(const char* what, int track, const std::string& name) {
  return {{"ph", "M"}, {"name", what}, {"pid", 0}, {"tid", track}, {"args", {{"name", name}}}};
}

/// A "complete event"; times in microseconds.
Json event(const char* category, int track, const std::string& name, double begin, double end, Json args) {
  return {{"ph", "X"},    {"cat", category}, {"name", name},       {"pid", 0},
          {"tid", track}, {"ts", begin},     {"dur", end - begin}, {"args", std::move(args)}};
}

/// A step as what it waited and what it worked. `origin`: time zero.
void add_step(const Json& span, int run, double origin, Json& events) {
  const int thread = span.at("thread");
  const std::string name = visible(span.at("name").get<std::string>());
  const double begin = span.at("begin_microseconds").get<double>() - origin,
               ready = span.at("ready_microseconds").get<double>() - origin,
               end = span.at("end_microseconds").get<double>() - origin;
  if (ready > begin) {
    Json args{{"run", run}};
    if (!name.empty()) args["before"] = name;
    events.push_back(event("wait", thread, "wait", begin, ready, std::move(args)));
  }
  if (name.empty()) return;
  Json args{{"run", run}, {"implementation", visible(span.at("implementation").get<std::string>())}};
  if (!span.at("image").is_null()) args["image"] = span.at("image");
  events.push_back(event("step", thread, name, ready, end, std::move(args)));
}

}  // namespace

Json trace_runs(const Arguments& arguments, Session& session, Workload& work) {
  const Json plan = plan_facts(session);
  const int threads = plan.at("threads");
  const int runs = static_cast<int>(std::min<uint64_t>(arguments.whole("runs", 1, 1000000, kRuns), kRuns));
  Json events = Json::array({named("process_name", 0, "vit-bench")});
  for (int t = 0; t < threads; ++t) events.push_back(named("thread_name", t, "thread " + std::to_string(t)));
  events.push_back(named("thread_name", threads, "runs"));
  const double origin = now_us();
  for (int run = 0; run < runs; ++run) {
    const double begin = now_us();
    run_once(session, work);
    events.push_back(event("run", threads, "run " + std::to_string(run), begin - origin, now_us() - origin, {{"run", run}}));
    for (const Json& span : Json::parse(session.describe(VIT_DESCRIBE_TRACE))) add_step(span, run, origin, events);
  }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}, {"otherData", plan}};
}

}  // namespace vit::tool
