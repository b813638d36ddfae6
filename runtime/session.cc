// SPDX-License-Identifier: Apache-2.0
#include "runtime/session.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "ops/core/error.h"
#include "ops/core/usable_cpus.h"
#include "runtime/calibrate.h"
#include "runtime/describe.h"
#include "runtime/executor.h"

namespace vit {
namespace {

/// Rows and columns of patches in a picture.
std::pair<int64_t, int64_t> grid_of(const ModelConfig& c, int64_t height, int64_t width) {
  if (c.remainder == Remainder::kPadded) return {ceil_div(height, c.patch_height), ceil_div(width, c.patch_width)};
  return {height / c.patch_height, width / c.patch_width};
}

}  // namespace

struct Session::State {
  std::shared_ptr<const Model> model;
  SessionOptions options;
  Isa isa = Isa::kSse2;
  const KernelTable* kernels = nullptr;
  int threads = 1;
  std::unique_ptr<Team> team;
  std::map<std::pair<Output, bool>, std::unique_ptr<Executor>> executors;  ///< by output and whether pixels come in
  std::map<std::pair<int64_t, int64_t>, std::vector<float>> positions;     ///< interpolated tables by grid
  std::vector<std::shared_ptr<const PackedLinear>> calibrated;             ///< until a plan has them
  Executor* last = nullptr;
  Output last_want = Output::kLogits;
  std::vector<BatchImage> batch;

  Workers workers() const { return {team.get(), threads}; }
  Executor& executor(Output want, bool pixels);
  std::shared_ptr<const QuantPolicy> policy();
  QuantPolicy calibrate(const CalibrationOptions& calibration);
  void calibrate_on_seeded(const CalibrationOptions& calibration, const PlanOptions& of_pass, LayerTrials& trials);
  void calibrate_on_pictures(const CalibrationOptions& calibration, const PlanOptions& of_pass, LayerTrials& trials);
  const float* positions_for(const Plan& plan, const BatchImage& image);
  BatchImage image_of(const Plan& plan, int64_t height, int64_t width) const;
  void run(Executor& executor, Output want);
  ResultView view(size_t index) const;
};

Executor& Session::State::executor(Output want, bool pixels) {
  std::unique_ptr<Executor>& known = executors[{want, pixels}];
  if (!known) {
    Plan plan = compile(*model, {.kernels = kernels,
                                 .backend = options.backend,
                                 .precision = options.precision,
                                 .policy = policy(),
                                 .want = want,
                                 .pixels = pixels,
                                 .taps = options.taps,
                                 .selections = options.selections,
                                 .packing = {.workers = workers()}});
    calibrated.clear();
    known = std::make_unique<Executor>(std::move(plan), threads, RunHooks{options.before_step, options.poison, options.profile});
  }
  return *known;
}

std::shared_ptr<const QuantPolicy> Session::State::policy() {
  if (options.precision != Precision::kInt8) return nullptr;
  return model->policy(kernels->isa, [&] { return calibrate({}); });
}

QuantPolicy Session::calibrate(const CalibrationOptions& options) { return state_->calibrate(options); }

QuantPolicy Session::State::calibrate(const CalibrationOptions& calibration) {
  const Graph& graph = model->graph();
  const bool classifier = graph.output(Output::kLogits) >= 0;
  // As a tap the features are wanted of all rows, so that the last block is tried on more than the class token.
  const Node& features = graph.nodes()[static_cast<size_t>(graph.output(Output::kFeatures))];
  const PlanOptions of_pass{.kernels = kernels,
                            .want = classifier ? Output::kLogits : Output::kEmbedding,
                            .pixels = model->config().channels == 3,
                            .taps = {features.name},
                            .packing = {Pages::kOwn, workers()}};  // freed layer by layer
  LayerTrials trials(*model, *kernels, calibration.trial, workers());
  if (calibration.pictures > 0)
    calibrate_on_pictures(calibration, of_pass, trials);
  else
    calibrate_on_seeded(calibration, of_pass, trials);
  calibrated = trials.packed();
  return trials.policy();
}

void Session::State::calibrate_on_seeded(const CalibrationOptions& calibration, const PlanOptions& of_pass, LayerTrials& trials) {
  const ModelConfig& config = model->config();
  PlanOptions of_layers = of_pass;
  of_layers.packing.keep_source = true;  // for the trials, which drop it
  CalibratingSteps steps(*model, of_layers, trials, calibration.after_step);
  Executor pass(compile(*model, of_layers, steps), 1, RunHooks{});
  const SeededInput input(config, kSeededPatches);
  BatchImage image = image_of(pass.plan(), input.height(), input.width());
  image.run.index = image.run.result_row = 0;
  image.run.positions = positions_for(pass.plan(), image);
  image.run.pixels = input.pixels();
  if (!of_pass.pixels) {
    image.run.planes = input.planes().data();
    image.run.plane_height = input.height(), image.run.plane_width = input.width();
  }
  pass.prepare({image});
  pass.run(*team);
  steps.finish();
}

/// First all pictures, through a model with all its float32 weights; then, these freed, all layers.
void Session::State::calibrate_on_pictures(const CalibrationOptions& calibration, const PlanOptions& of_pass,
                                           LayerTrials& trials) {
  VIT_CHECK(of_pass.pixels, Code::kArgument, model->path(), ": expects ", model->config().channels,
            " channels, and calibration pictures have 3");
  const auto told = [&] {
    if (calibration.after_step) calibration.after_step();
  };
  CollectingSteps steps(*model, of_pass, calibration.pictures);
  {
    Executor pass(compile(*model, of_pass, steps), threads, RunHooks{});
    for (int64_t i = 0; i < calibration.pictures; ++i, told()) {
      const Pixels pixels = calibration.picture(i);
      BatchImage image = image_of(pass.plan(), pixels.height, pixels.width);
      image.run.index = image.run.result_row = 0;
      image.run.positions = positions_for(pass.plan(), image);
      image.run.pixels = pixels.view();
      steps.begin(i);
      pass.prepare({image});
      pass.run(*team);
    }
  }
  for (const auto& layer : steps.layers()) {
    trials.try_layer(layer->node, layer->rows);
    told();
  }
}

/// The table as it is stored, or interpolated as the container does it; kept for the next image of this grid.
const float* Session::State::positions_for(const Plan& plan, const BatchImage& image) {
  if (plan.positions == nullptr) return nullptr;
  const PositionWeights& p = *plan.positions;
  const int64_t cells = p.grid_height * p.grid_width, gh = image.run.grid_height, gw = image.run.grid_width;
  std::vector<float>& table = positions[{gh, gw}];
  if (table.empty() && gh * gw > 0) {
    const bool stored = gh == p.rule.native_height && gw == p.rule.native_width;
    const int64_t channels = plan.embed_dim;
    std::vector<float> original(static_cast<size_t>(cells * channels));
    p.table.to_float(p.first_row * channels, cells * channels, original.data());
    if (stored) {
      table = std::move(original);
    } else {  // complete before it is kept: memory may run out
      std::vector<float> made(static_cast<size_t>(gh * gw * channels));
      interpolate_positions(original.data(), p.grid_height, p.grid_width, channels, p.rule, gh, gw, made.data());
      table = std::move(made);
    }
  }
  return table.data();
}

/// The part of a BatchImage that its size tells.
BatchImage Session::State::image_of(const Plan& plan, int64_t height, int64_t width) const {
  BatchImage image;
  image.run.index = static_cast<int64_t>(batch.size());
  image.run.result_row = batch.empty() ? 0 : batch.back().run.result_row + batch.back().rows;
  std::tie(image.run.grid_height, image.run.grid_width) = grid_of(model->config(), height, width);
  image.rows = plan.prefix_rows + image.run.grid_height * image.run.grid_width;
  return image;
}

void Session::State::run(Executor& executor_, Output want) {
  executor_.prepare(batch);
  executor_.run(*team);
  last = &executor_;
  last_want = want;
}

Precision fastest_precision(Backend backend, Isa isa) {
  return backend == Backend::kOwn && kernels(isa).has_bf16 ? Precision::kBF16 : Precision::kF32;
}

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options) : state_(std::make_unique<State>()) {
  state_->model = std::move(model);
  state_->options = options;
  state_->isa = choose_isa(options.isa);
  state_->kernels = options.kernels != nullptr ? options.kernels : &kernels(state_->isa);
  VIT_CHECK(options.backend == Backend::kOwn || options.precision == Precision::kF32, Code::kUnsupported, "precision ",
            precision_name(options.precision), ": expected backend own; oneDNN computes in f32 here");
  state_->threads = options.threads > 0 ? options.threads : usable_cores();
  state_->team = make_team(options.team, state_->threads);
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

void Session::run(std::span<const PixelView> images, Output want) {
  VIT_CHECK(!images.empty(), Code::kArgument, "a run: expected at least one image, got none");
  const int64_t channels = model().config().channels;
  VIT_CHECK(channels == 3, Code::kArgument, "this model expects ", channels,
            " channels; pictures have 3: run it on a float input");
  Executor& executor = state_->executor(want, true);
  state_->last = nullptr;  // until this run is done
  state_->batch.clear();
  for (const PixelView& pixels : images) {
    BatchImage image = state_->image_of(executor.plan(), pixels.height, pixels.width);
    image.run.pixels = pixels;
    image.run.positions = state_->positions_for(executor.plan(), image);
    state_->batch.push_back(image);
  }
  state_->run(executor, want);
}

void Session::run(const float* input, int64_t batch, int64_t height, int64_t width, Output want) {
  VIT_CHECK(batch > 0, Code::kArgument, "a run: expected at least one image, got none");
  Executor& executor = state_->executor(want, false);
  state_->last = nullptr;  // until this run is done
  state_->batch.clear();
  for (int64_t i = 0; i < batch; ++i) {
    BatchImage image = state_->image_of(executor.plan(), height, width);
    image.run.planes = input + i * executor.plan().image_channels * height * width;
    image.run.plane_height = height, image.run.plane_width = width;
    image.run.positions = state_->positions_for(executor.plan(), image);
    state_->batch.push_back(image);
  }
  state_->run(executor, want);
}

/// [B, C] for images; for rows [B, T, C] when all images have T, else [all rows, C].
ResultView Session::State::view(size_t index) const {
  const PlanResult& result = last->plan().results[index];
  const auto images = static_cast<int64_t>(batch.size());
  int64_t rows = 0;
  bool same = true;
  for (const BatchImage& image : batch) rows += image.rows, same &= image.rows == batch[0].rows;
  Shape shape{images, result.channels};
  if (result.domain == Domain::kRows) shape = same ? Shape{images, batch[0].rows, result.channels} : Shape{rows, result.channels};
  return {last->result(index), shape};
}

ResultView Session::output() const {
  VIT_CHECK(state_->last != nullptr, Code::kArgument, "output: nothing was run yet");
  return state_->view(0);
}

ResultView Session::tap(const std::string& name) const {
  VIT_CHECK(state_->last != nullptr, Code::kArgument, "tap ", name, ": nothing was run yet");
  const std::vector<PlanResult>& results = state_->last->plan().results;
  for (size_t i = 1; i < results.size(); ++i)
    if (results[i].node == name) return state_->view(i);
  throw Error(Code::kArgument, str("tap ", name, ": expected a name that the session was created with"));
}

Shape Session::output_shape(Output want, int64_t batch, int64_t height, int64_t width) const {
  const Graph& graph = model().graph();
  const int id = graph.output(want);
  VIT_CHECK(id >= 0, Code::kArgument, "this model has no ", output_name(want), ": it has no classifier");
  const Node& node = graph.nodes()[static_cast<size_t>(id)];
  if (node.domain == Domain::kImages) return {batch, node.channels};
  const ModelConfig& config = model().config();
  const auto [grid_height, grid_width] = grid_of(config, height, width);
  int64_t rows = grid_height * grid_width;
  for (const Node& n : graph.nodes()) rows += static_cast<int64_t>(n.prefix.size());
  return {batch, rows, node.channels};
}

const Model& Session::model() const { return *state_->model; }
int Session::threads() const { return state_->threads; }
Isa Session::isa() const { return state_->isa; }
Backend Session::backend() const { return state_->options.backend; }

Session::Counters Session::counters() const {
  if (state_->last == nullptr) return {};
  const RunCounters& c = state_->last->counters();
  return {c.regions, c.barriers, c.steps};
}

std::vector<StepProfile> Session::profile() const {
  std::vector<StepProfile> profile;
  if (state_->last == nullptr) return profile;
  const Executor& executor = *state_->last;
  const int steps = static_cast<int>(executor.plan().steps.size());
  for (int s = 0; s < steps; ++s) {
    const Step& step = *executor.plan().steps[static_cast<size_t>(s)];
    const Executor::StepTime& time = executor.time(s);
    profile.push_back({step.name, step.implementation, executor.runs(), time.microseconds, time.operations, time.bytes});
  }
  return profile;
}

std::vector<StepSpan> Session::spans() const {
  std::vector<StepSpan> spans;
  if (state_->last == nullptr) return spans;
  const Executor& executor = *state_->last;
  const auto us = [](Executor::Clock::time_point at) {
    return std::chrono::duration<double, std::micro>(at.time_since_epoch()).count();
  };
  for (int t = 0; t < state_->threads; ++t)
    for (const Executor::Span& span : executor.spans(t)) {
      StepSpan out{t, "", "", span.image, us(span.begin), us(span.ready), us(span.end)};
      if (span.step != Executor::kNoStep) {
        const Step& step = *executor.plan().steps[static_cast<size_t>(span.step)];
        out.name = step.name, out.implementation = step.implementation;
      }
      spans.push_back(std::move(out));
    }
  return spans;
}

std::string Session::describe_plan(int64_t height, int64_t width) const {
  const bool classifier = model().graph().output(Output::kLogits) >= 0;
  Executor& executor =
      state_->last != nullptr ? *state_->last : state_->executor(classifier ? Output::kLogits : Output::kEmbedding, true);
  const auto [grid_height, grid_width] = grid_of(model().config(), height, width);
  const int64_t rows = executor.plan().prefix_rows + grid_height * grid_width;
  const Executor::Memory memory =
      state_->last != nullptr ? Executor::Memory{executor.arena_bytes(), executor.scratch_bytes()} : executor.memory_for(rows, 1);
  return vit::describe_plan(executor.plan(), memory, state_->threads, state_->kernels->isa);
}

}  // namespace vit
