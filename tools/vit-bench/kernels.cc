// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double per_us(double amount, double us) { return us > 0 && amount > 0 ? amount / us * 1e-3 : kNone; }

Json or_null(double value) { return value == value ? Json(value) : Json(nullptr); }

const char* verdict(const bench::KernelResult& kernel) { return !kernel.has_case ? "no case" : kernel.right ? "right" : "WRONG"; }

void add_kernels(const std::vector<bench::KernelResult>& kernels, double peak, Report& report) {
  Section section{"Kernels", {}, {{"kernel", "size", "check", "us", "spread", "GFLOP/s", "of peak", "GB/s"}, {}, 3}};
  Json list = Json::array();
  for (const bench::KernelResult& k : kernels) {
    const double gflops = per_us(k.operations, k.us.median), gbytes = per_us(k.bytes, k.us.median);
    section.table.rows.push_back({k.name, k.shape, verdict(k), fixed(k.us.median, 3), percent(k.us.spread), fixed(gflops, 1),
                                  percent(gflops / peak), fixed(gbytes, 1)});
    list.push_back({{"name", k.name},
                    {"shape", k.shape},
                    {"check", verdict(k)},
                    {"us", summary_json(k.us)},
                    {"gflops", or_null(gflops)},
                    {"gbytes_per_second", or_null(gbytes)},
                    {"share_of_peak", or_null(gflops / peak)}});
  }
  report.json["kernels"] = std::move(list);
  report.sections.push_back(std::move(section));
}

/// `by_rate`: the sides do different work, and what compares is operations a second.
void add_contests(const std::string& title, const char* key, const std::vector<bench::ContestResult>& contests, bool by_rate,
                  Report& report) {
  Section section{title, {}, {{"what", "ours", "other", "check", "us", "us", "GFLOP/s", "GFLOP/s", "ours / other"}, {}, 4}};
  Json list = Json::array();
  for (const bench::ContestResult& c : contests) {
    const auto rate = [](const bench::ContestResult::Side& side) { return per_us(side.operations, side.us.min); };
    const double speed = by_rate ? rate(c.ours) / rate(c.other) : c.other.us.min / c.ours.us.min;
    section.table.rows.push_back({c.about, c.ours.name, c.other.name, c.right ? "right" : "WRONG", fixed(c.ours.us.median, 1),
                                  fixed(c.other.us.median, 1), fixed(rate(c.ours), 1), fixed(rate(c.other), 1), fixed(speed, 2)});
    const auto side = [&](const bench::ContestResult::Side& s) {
      return Json{{"name", s.name}, {"us", summary_json(s.us)}, {"gflops", or_null(rate(s))}};
    };
    list.push_back({{"about", c.about},
                    {"check", c.right ? "right" : "WRONG"},
                    {"ours", side(c.ours)},
                    {"other", side(c.other)},
                    {"speed", or_null(speed)}});
  }
  report.json[key] = std::move(list);
  if (!contests.empty()) report.sections.push_back(std::move(section));
}

}  // namespace

int measure_kernels(const Arguments& arguments) {
  if (!arguments.inputs.empty()) throw Failure(kUsage, "--kernels: expected no pictures");
  if (arguments.whole("threads", 0, 1024, 1) > 1)
    throw Failure(kUsage, "--kernels: times one thread; expected no other number of --threads");
  Options options = parse_session_options(arguments);
  options.threads = 1;
  const auto seconds = static_cast<double>(arguments.whole("seconds", 1, 86400, 3));
  Output output(arguments.text("output", "-"));
  // A session knows the instruction set that is asked for, or refuses it.
  const Json plan = plan_facts(open_session(open_model(arguments, Untrained::kAllowed), options));
  const std::string isa = plan["isa"];

  Report report;
  double peak = bench::peak_gflops(isa, 1);
  const auto kernels = bench::time_kernels(isa, seconds / 2);
  const auto onednn = bench::time_against_onednn(isa, seconds / 4);
  const auto awkward = bench::time_awkward_shapes(isa, seconds / 4);
  peak = std::max(peak, bench::peak_gflops(isa, 1));

  report.json = {{"cpu", plan["cpu"]}, {"isa", isa}, {"threads", 1}, {"peak_gflops", peak}};
  Section head;
  head.facts = {{"cpu", visible(plan["cpu"].get<std::string>())},
                {"isa", isa},
                {"threads", "1"},
                {"peak", fixed(peak, 1) + " GFLOP/s with operands in registers"}};
  report.sections.push_back(std::move(head));
  add_kernels(kernels, peak, report);
  add_contests("Steps against oneDNN's primitives", "against_onednn", onednn, false, report);
  add_contests("Awkward sizes against aligned ones", "awkward_shapes", awkward, true, report);
  output.write(render(report, arguments.text("format", "text")));
  output.commit();

  bool right = true;
  for (const bench::KernelResult& k : kernels) right &= k.right;
  for (const auto* contests : {&onednn, &awkward})
    for (const bench::ContestResult& c : *contests) right &= c.right;
  if (!right) throw Failure(kSomeFailed, "a kernel gave wrong numbers, or has no case in benchmarks/");
  return kDone;
}

}  // namespace vit::tool
