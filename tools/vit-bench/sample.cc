// SPDX-License-Identifier: Apache-2.0
// Running a model again and again, by the clock.
#include <algorithm>
#include <chrono>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

struct StageTimes {
  double decode_ms = 0, preprocess_ms = 0;
};

StageTimes stage_times(const Session& session) {
  const Json stages = Json::parse(session.describe(VIT_DESCRIBE_STAGES));
  return {stages.value("decode_microseconds", 0.0) * 1e-3, stages.value("preprocess_microseconds", 0.0) * 1e-3};
}

struct Runs {
  std::vector<double> total, decode, preprocess, model;
};

Runs run_for(const Arguments& arguments, Session& session, Workload& work, double seconds_share) {
  const uint64_t most = arguments.whole("runs", 1, 1000000, 1000000);
  const double limit_ms =
      static_cast<double>(arguments.whole("seconds", 1, 86400, arguments.has("runs") ? 86400 : 3)) * 1e3 * seconds_share;
  Runs runs;
  StageTimes before = stage_times(session);
  for (double sum = 0; runs.total.size() < most && (sum < limit_ms || runs.total.size() < 3); sum += runs.total.back()) {
    runs.total.push_back(run_once(session, work));
    if (work.images.empty()) continue;
    const StageTimes after = stage_times(session);
    runs.decode.push_back(after.decode_ms - before.decode_ms);
    runs.preprocess.push_back(after.preprocess_ms - before.preprocess_ms);
    runs.model.push_back(runs.total.back() - runs.decode.back() - runs.preprocess.back());
    before = after;
  }
  return runs;
}

std::vector<StepFigures> step_sums(const Session& session) {
  std::vector<StepFigures> out;
  const Json steps = Json::parse(session.describe(VIT_DESCRIBE_PROFILE));
  for (const Json& step : steps)
    out.push_back({step.value("name", ""), step.value("implementation", ""), step.value("microseconds", 0.0),
                   step.value("operations", 0.0), step.value("bytes", 0.0)});
  return out;
}

}  // namespace

Workload make_workload(const Arguments& arguments, const Session& session) {
  const vit_model_info info = session.model().info();
  const Size size = parse_size(arguments);
  Workload out;
  for (const std::string& path : arguments.inputs) out.images.push_back(Image::path(path));
  if (!out.images.empty() && arguments.has("batch")) throw Failure(kUsage, "--batch: pictures make a batch by themselves");
  out.batch = out.images.empty() ? arguments.whole("batch", 1, 4096, 1) : out.images.size();
  out.height = size.height != 0 ? size.height : info.height;
  out.width = size.height != 0 ? size.width : info.width;
  out.want = info.num_labels != 0 ? VIT_OUTPUT_LOGITS : VIT_OUTPUT_EMBEDDING;
  if (out.height < info.patch_height || out.width < info.patch_width)
    throw Failure(kUsage, "--size: less than one patch of the model");
  if (out.images.empty()) out.input.resize(out.batch * info.channels * out.height * out.width);
  size_t numbers = 1;
  for (const size_t axis : session.output_shape(out.batch, out.height, out.width, out.want)) numbers *= axis;
  out.output.resize(numbers);
  return out;
}

void fill(std::vector<float>& values) {
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
}

double run_once(Session& session, Workload& work) {
  std::vector<vit_image> images;
  for (const Image& image : work.images) images.push_back(image.c());
  const auto start = std::chrono::steady_clock::now();
  const vit_status status =
      images.empty() ? vit_run(session.c(), work.input.data(), work.batch, work.height, work.width, work.want, work.output.data(),
                               work.output.size())
                     : vit_infer(session.c(), images.data(), images.size(), work.want, work.output.data(), work.output.size());
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (status == VIT_ERROR_IMAGE || (status == VIT_ERROR_IO && !images.empty())) throw Failure(kAllFailed, vit_last_error());
  detail::check(status);
  return ms;
}

Sample sample(const Arguments& arguments, Session& session, Workload& work, double seconds_share) {
  run_once(session, work);
  Runs runs = run_for(arguments, session, work, seconds_share);
  Sample out{bench::summarise(std::move(runs.total)), {}};
  if (!work.images.empty())
    out.stages = {bench::summarise(std::move(runs.decode)), bench::summarise(std::move(runs.preprocess)),
                  bench::summarise(std::move(runs.model))};
  return out;
}

Profile profile(const Arguments& arguments, Session& session, Workload& work, double seconds_share) {
  run_once(session, work);  // makes the plan
  const std::vector<StepFigures> before = step_sums(session);
  const Runs runs = run_for(arguments, session, work, seconds_share);
  Profile out;
  out.steps = step_sums(session);
  const auto count = static_cast<double>(runs.total.size());
  double sum_us = 0, wall_ms = 0;
  for (size_t s = 0; s < out.steps.size(); ++s) {
    StepFigures& step = out.steps[s];
    step.microseconds = (step.microseconds - before[s].microseconds) / count;
    step.operations = (step.operations - before[s].operations) / count;
    step.bytes = (step.bytes - before[s].bytes) / count;
    sum_us += step.microseconds, out.operations += step.operations;
  }
  for (const double ms : work.images.empty() ? runs.total : runs.model) wall_ms += ms;
  out.covered = sum_us * 1e-3 * count / wall_ms;
  return out;
}

Json plan_facts(const Session& session) {
  Json facts = Json::object();
  const Json plan = Json::parse(session.describe(VIT_DESCRIBE_PLAN));
  for (const auto& [key, value] : plan.items())
    if (!value.is_structured()) facts[key] = value;
  return facts;
}

}  // namespace vit::tool
