// SPDX-License-Identifier: Apache-2.0
// Walks a team of threads through a plan: one parallel region a run, threads wait only where the plan says.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "ops/core/memory.h"
#include "ops/core/team.h"
#include "runtime/plan.h"

namespace vit {

/// What an executor reports of its last run, and the hooks that tests put in.
struct RunCounters {
  int regions = 0, barriers = 0, steps = 0;
};

struct RunHooks {
  void (*before_step)(int thread, int step) noexcept = nullptr;  ///< random delays
  bool poison = false;                                           ///< buffers that hold nothing alive are filled with NaN
  bool profile = false;                                          ///< time each step, and keep when each one ran
};

/// Where one image of a batch comes from and how many rows it makes.
struct BatchImage {
  ImageRun run;
  int64_t rows = 0;
};

/// How many of `threads` share columns where they have `rows` rows together; divides `threads`. A thread that has few rows reads
/// all weights for little, so that these and not the arithmetic take its time; but to share columns costs some six more waits in
/// each block of a model (docs/performance.md, "Many cores"). Few is what the plan says, and 16 where there are more than 8
/// threads.
int column_threads(int64_t rows, int threads, int64_t few_rows);

/// One plan with the memory to run it. With at least as many images as threads, a thread takes whole images and never waits; the
/// images that are left over are divided by rows among all threads. So memory is one image a thread, whatever the batch.
class Executor {
 public:
  Executor(Plan plan, int threads, const RunHooks& hooks);

  const Plan& plan() const { return plan_; }
  struct Memory {
    int64_t activation_bytes = 0, scratch_bytes = 0;
  };
  /// What prepare() reserves for `images` images at once, of at most `rows` rows each, beside the results.
  Memory memory_for(int64_t rows, int64_t images) const;
  /// Reserves memory and steps for this batch; a batch like the last one reserves nothing. Throws Error(kMemory).
  void prepare(const std::vector<BatchImage>& batch);
  /// Runs what prepare() was told. Does not allocate, lock or throw.
  void run(Team& team) noexcept;

  const float* result(size_t index) const { return buffers_[static_cast<size_t>(plan_.results[index].buffer.id)]; }
  const RunCounters& counters() const { return counters_; }
  int64_t arena_bytes() const { return arena_.size() * static_cast<int64_t>(sizeof(float)); }
  int64_t scratch_bytes() const { return scratch_.size() * static_cast<int64_t>(sizeof(float)); }

  struct StepTime {
    double microseconds = 0, operations = 0, bytes = 0;
  };
  /// Sums over runs: the time of each run's busiest thread, with its waits, so that the steps of a run add up to the run; the
  /// rest is what all threads did together.
  const StepTime& time(int step) const { return totals_[static_cast<size_t>(step)]; }
  int64_t runs() const { return runs_; }

  using Clock = std::chrono::steady_clock;
  /// When a thread did a step: it waited for others from `begin` to `ready`, and worked from there to `end`.
  struct Span {
    int step = kNoStep;
    int64_t image = kNoImage;  ///< index in the batch of the one that the thread ran alone, else it shared some
    Clock::time_point begin, ready, end;
  };
  static constexpr int kNoStep = -1;  ///< only waits: to be woken, for images that it shares, for the others' end
  static constexpr int64_t kNoImage = -1;
  /// Of the last run, in their order; empty without RunHooks::profile.
  const std::vector<Span>& spans(int thread) const { return spans_[static_cast<size_t>(thread)]; }

 private:
  /// Images that some threads work on together: one image of one thread, or the left-over images of all.
  struct Group {
    std::vector<ImageRun> images;
    std::vector<std::vector<ImageRows>> rows;  ///< [stage][image]
    std::vector<ImageRows*> row_lists;
  };
  Group make_group(size_t images) const;
  void place(Group& group, size_t at, const BatchImage& image, int64_t slot, int64_t row, int64_t key_row) const noexcept;
  void work(int thread) noexcept;
  static int64_t rows_of(const Group& group, int image_count) noexcept;
  void run_steps(const Group& group, int image_count, int thread, int team_thread, int team_threads) noexcept;
  double bytes(const Pass& pass, int step) const noexcept;
  void note_wait(int thread, Clock::time_point begin) noexcept;
  void sum_times() noexcept;
  void note(const Pass& pass, int thread, const Span& span) noexcept;
  void poison_dead(const Pass& pass, int step) const noexcept;
  int64_t place_buffers(int64_t rows, int64_t images, std::vector<int64_t>* offsets) const;
  int64_t scratch_for(int64_t rows) const;
  void reserve_memory();
  void reserve_steps();
  void reserve_spans();

  Plan plan_;
  int threads_;
  RunHooks hooks_;
  std::vector<BatchImage> batch_;  ///< by falling number of rows
  int64_t whole_ = 0;              ///< so many of them are run by one thread each
  int64_t max_rows_ = 0, max_key_rows_ = 0, slots_ = 0;
  int64_t result_rows_ = 0, result_images_ = 0, scratch_floats_ = 0;

  Buffer<float> arena_, scratch_, results_;
  Buffer<TokenInfo> tokens_;
  std::vector<float*> buffers_;
  std::vector<TokenInfo*> token_lists_;
  std::vector<Group> own_;  ///< one a thread
  Group shared_;
  Barrier barrier_;
  std::atomic<int64_t> next_{0};
  RunCounters counters_;
  std::atomic<int> barriers_passed_{0};
  std::vector<StepTime> times_;  ///< [threads, steps], of this run
  std::vector<StepTime> totals_;
  std::vector<std::vector<Span>> spans_;  ///< one list a thread
  Clock::time_point started_;
  int64_t runs_ = 0;
};

}  // namespace vit
