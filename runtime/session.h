// SPDX-License-Identifier: Apache-2.0
// Runs a model's plan: the one mutable object, for one caller at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/core/cpu.h"
#include "ops/core/team.h"
#include "ops/pixels.h"
#include "runtime/model.h"
#include "runtime/plan.h"

namespace vit {

struct CalibrationOptions;

struct SessionOptions {
  int threads = 0;  ///< 0: usable_cores()
  Backend backend = Backend::kOwn;
  Precision precision = Precision::kF32;
  std::string isa = {};                ///< empty: VIT_ISA or the best
  std::vector<std::string> taps = {};  ///< node names to keep
  std::vector<TokenSelection> selections = {};
  bool profile = false;
  TeamKind team = default_team();
  const KernelTable* kernels = nullptr;                          ///< for tests: others than those of `isa`
  void (*before_step)(int thread, int step) noexcept = nullptr;  ///< for tests: random delays
  bool poison = false;  ///< for tests: buffers that hold nothing alive are filled with NaN
};

/// The fastest precision with float32's answers for all purposes: bfloat16 where the CPU multiplies it, else float32.
Precision fastest_precision(Backend backend, Isa isa);

/// A result inside the session; valid until its next run.
struct ResultView {
  const float* data = nullptr;
  Shape shape;
};

struct StepProfile {
  std::string name, implementation;
  int64_t calls = 0;
  // Sums over calls. The time is that of each run's busiest thread, with its waits before them, so that the steps of a run add up
  // to the run; the rest is what all threads did together.
  double microseconds = 0;
  double operations = 0;  ///< floating-point
  double bytes = 0;       ///< of weights and activations, each read or written once
};

/// A step of the last run on one thread: it waited for other threads from `begin_us` to `ready_us` and worked from there to
/// `end_us`. Without a name the thread only waited: to be woken, for the images that it shares, for the others' end.
struct StepSpan {
  int thread = 0;
  std::string name, implementation;
  int64_t image = -1;                             ///< index in the batch of the one that the thread ran alone
  double begin_us = 0, ready_us = 0, end_us = 0;  ///< of std::chrono::steady_clock
};

class Session {
 public:
  Session(std::shared_ptr<const Model> model, const SessionOptions& options);
  ~Session();
  Session(Session&&) noexcept;

  /// Runs 8-bit images; their sizes may differ and need not be the model's.
  void run(std::span<const PixelView> images, Output want);
  /// Runs a normalised float32 input [batch, channels, height, width].
  void run(const float* input, int64_t batch, int64_t height, int64_t width, Output want);

  /// The output of the last run that asked for it. Features of images of different sizes are [rows, C], else [B, T, C].
  ResultView output() const;
  ResultView tap(const std::string& name) const;
  Shape output_shape(Output want, int64_t batch, int64_t height, int64_t width) const;

  /// Decides what 8 bits are enough for: one pass of a seeded picture of at most 8 x 8 patches, in float32, or one
  /// of all threads for each picture that the options give. Throws Error, and what the options' functions throw.
  QuantPolicy calibrate(const CalibrationOptions& options);

  const Model& model() const;
  int threads() const;
  Isa isa() const;
  Backend backend() const;

  /// Counters of the last run, for tests and `info`.
  struct Counters {
    int regions = 0, barriers = 0, steps = 0;
  };
  Counters counters() const;
  std::vector<StepProfile> profile() const;
  /// Thread by thread, in the order of time; empty unless the session profiles.
  std::vector<StepSpan> spans() const;
  /// The plan in JSON: steps, implementations, barriers, memory: what the runs so far have reserved, or, before the first run,
  /// what one image of `height` x `width` pixels will need.
  std::string describe_plan(int64_t height, int64_t width) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vit
