// SPDX-License-Identifier: Apache-2.0
// The two modes of vit-bench. Each answers an exit code.
#pragma once

#include <chrono>
#include <vector>

#include "runtime/api/vit.hpp"
#include "tools/common/arguments.h"

namespace vit::tool {

const ProgramSpec& vit_bench_program();

/// Latency of a model on random input, with the time of each step.
int measure(const Arguments& arguments);
/// Answers "run K" lines on standard input with K latencies in ms on standard output, until the input ends.
int work(const Arguments& arguments);

/// An input of the model and the output that is asked of it.
struct Workload {
  size_t batch = 1, height = 0, width = 0;
  vit_output want = VIT_OUTPUT_LOGITS;
  std::vector<float> input, output;
};

/// Sizes from --batch and --size, else the model's own; buffers not filled. Throws Failure(kUsage).
Workload make_workload(const Arguments& arguments, const Session& session);

/// Runs once; milliseconds.
double run_once(Session& session, Workload& work);

}  // namespace vit::tool
