// SPDX-License-Identifier: Apache-2.0
// The modes of vit-bench. Each answers an exit code.
#pragma once

#include <vector>

#include "benchmarks/bench.h"
#include "runtime/api/vit.hpp"
#include "tools/common/arguments.h"
#include "tools/vit-bench/report.h"

namespace vit::tool {

const ProgramSpec& vit_bench_program();

/// Latency and throughput of a model on pictures or random input, with the time of each step.
int measure(const Arguments& arguments);
/// A model of timm's registry at several sizes of image and patch.
int measure_grid(const Arguments& arguments);
/// Kernels and steps, each checked before it is timed.
int measure_kernels(const Arguments& arguments);
/// Answers "run K" lines on standard input with K latencies in ms on standard output, until the input ends.
int work(const Arguments& arguments);

/// What runs: an input of the model, or pictures, and the output that is asked of it.
struct Workload {
  size_t batch = 1, height = 0, width = 0;
  vit_output want = VIT_OUTPUT_LOGITS;
  std::vector<float> input, output;
  std::vector<Image> images;  ///< where there are any, they are what runs, from file to answer
};

/// Sizes from --batch and --size, else the model's own; the input is not filled. Throws Failure(kUsage).
Workload make_workload(const Arguments& arguments, const Session& session);
/// The same numbers in every run and on every machine, about as large as normalised pixels.
void fill(std::vector<float>& values);

/// Runs once; milliseconds.
double run_once(Session& session, Workload& work);

struct Stages {
  bench::Summary decode, preprocess, model;  ///< milliseconds a run
};
struct Sample {
  bench::Summary ms;
  Stages stages;  ///< of pictures
};
/// Runs until --runs or its share of --seconds are over, at least three times, after one run that does not count.
Sample sample(const Arguments& arguments, Session& session, Workload& work, double seconds_share);

/// Figures of a step for one run.
struct StepFigures {
  std::string name, implementation;
  double microseconds = 0, operations = 0, bytes = 0;
};
struct Profile {
  std::vector<StepFigures> steps;
  double operations = 0;
  double covered = 0;  ///< of the time of the model's runs, what the steps add up to
};
/// Of a session that was made with `profile`. Its clock reads slow a run down a little, so latencies come from another one.
Profile profile(const Arguments& arguments, Session& session, Workload& work, double seconds_share);

/// Runs three times a session that was made with `profile`: Chrome's trace events, a track for each thread and one for the runs.
Json trace_runs(const Arguments& arguments, Session& session, Workload& work);

/// VIT_DESCRIBE_PLAN without its steps.
Json plan_facts(const Session& session);

}  // namespace vit::tool
