// SPDX-License-Identifier: Apache-2.0
#include "runtime/executor.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vit {
namespace {

int64_t row_count(BufferKind kind, int64_t rows, int64_t key_rows, int64_t images) {
  switch (kind) {
    case BufferKind::kRows: return rows;
    case BufferKind::kImages: return images;
    case BufferKind::kKeys:
    case BufferKind::kValues: return key_rows;
    default: return 0;
  }
}

}  // namespace

int column_threads(int64_t rows, int threads, int64_t few_rows) {
  constexpr int kFewThreads = 8;
  constexpr int64_t kFewRows = 16;
  if (threads > kFewThreads) few_rows = std::max(few_rows, kFewRows);
  for (int share = 1; share < threads; ++share)
    if (threads % share == 0 && rows * share >= few_rows * threads) return share;
  return threads;
}

Executor::Executor(Plan plan, int threads, const RunHooks& hooks)
    : plan_(std::move(plan)), threads_(threads), hooks_(hooks), buffers_(plan_.buffers.size()), barrier_(threads) {
  for (int t = 0; t < threads; ++t) own_.push_back(make_group(1));
  shared_ = make_group(static_cast<size_t>(threads));
  times_.resize(static_cast<size_t>(threads) * plan_.steps.size());
  totals_.resize(plan_.steps.size());
  spans_.resize(static_cast<size_t>(threads));
}

Executor::Group Executor::make_group(size_t images) const {
  Group group;
  group.images.resize(images);
  group.rows.assign(static_cast<size_t>(plan_.stages), std::vector<ImageRows>(images));
  for (auto& stage : group.rows) group.row_lists.push_back(stage.data());
  return group;
}

void Executor::place(Group& group, size_t at, const BatchImage& image, int64_t slot, int64_t row,
                     int64_t key_row) const noexcept {
  group.images[at] = image.run;
  group.images[at].slot = slot;
  group.rows[0][at] = {row, image.rows, key_row};
}

// ---- before a run ----

void Executor::prepare(const std::vector<BatchImage>& batch) {
  batch_ = batch;
  // Large images first: what is left for the end, shared by rows, is small.
  std::sort(batch_.begin(), batch_.end(), [](const BatchImage& a, const BatchImage& b) {
    return a.rows != b.rows ? a.rows > b.rows : a.run.index < b.run.index;
  });
  const auto count = static_cast<int64_t>(batch_.size());
  whole_ = count / threads_ * threads_;
  if (threads_ == 1) whole_ = count;

  int64_t row = 0, key_row = 0;
  for (int64_t i = whole_; i < count; ++i) {
    const BatchImage& image = batch_[static_cast<size_t>(i)];
    place(shared_, static_cast<size_t>(i - whole_), image, i - whole_, row, key_row);
    row += image.rows;
    key_row += round_up(image.rows, plan_.key_rows_multiple);
  }
  reserve_memory();
  reserve_steps();
  if (hooks_.profile) reserve_spans();
}

/// Floats of all buffers, and where each begins.
int64_t Executor::place_buffers(int64_t rows, int64_t images, std::vector<int64_t>* offsets) const {
  const int64_t key_rows = round_up(rows, plan_.key_rows_multiple);
  int64_t floats = 0;
  for (const PlanBuffer& b : plan_.buffers) {
    offsets->push_back(floats);
    floats += round_up(row_count(b.kind, rows * images, key_rows * images, images) * b.stride, 16);
  }
  return floats;
}

int64_t Executor::scratch_for(int64_t rows) const {
  int64_t scratch = 0;
  for (const auto& step : plan_.steps) scratch = std::max(scratch, step->scratch_floats(rows));
  return round_up(scratch, 32) + 32;  // a cache line pair between threads
}

Executor::Memory Executor::memory_for(int64_t rows, int64_t images) const {
  std::vector<int64_t> offsets;
  constexpr auto kFloat = static_cast<int64_t>(sizeof(float));
  return {place_buffers(rows, std::min<int64_t>(images, threads_), &offsets) * kFloat, scratch_for(rows) * threads_ * kFloat};
}

void Executor::reserve_memory() {
  const int64_t rows = batch_.empty() ? 0 : batch_[0].rows,
                slots = std::min<int64_t>(static_cast<int64_t>(batch_.size()), threads_);
  int64_t total = 0;
  for (const BatchImage& image : batch_) total += image.rows;
  if (rows > max_rows_ || slots > slots_) {
    const int64_t most_rows = std::max(rows, max_rows_), most_slots = std::max(slots, slots_);
    max_rows_ = slots_ = 0;  // where memory runs out below, the next run reserves everything anew
    std::vector<int64_t> offsets;
    const int64_t floats = place_buffers(most_rows, most_slots, &offsets);
    arena_ = Buffer<float>();  // freed before the larger one is asked for
    arena_ = Buffer<float>(floats);
    for (size_t b = 0; b < plan_.buffers.size(); ++b)
      if (row_count(plan_.buffers[b].kind, 1, 1, 1) > 0) buffers_[b] = arena_.data() + offsets[b];
    tokens_ = Buffer<TokenInfo>(most_rows * most_slots * plan_.stages);
    token_lists_.clear();
    for (int stage = 0; stage < plan_.stages; ++stage) token_lists_.push_back(tokens_.data() + stage * most_rows * most_slots);
    scratch_floats_ = scratch_for(most_rows);
    scratch_ = Buffer<float>(scratch_floats_ * threads_);
    max_rows_ = most_rows, slots_ = most_slots;
    max_key_rows_ = round_up(max_rows_, plan_.key_rows_multiple);
  }
  const auto images = static_cast<int64_t>(batch_.size());
  if (total > result_rows_ || images > result_images_) {
    const int64_t most_rows = std::max(total, result_rows_), most_images = std::max(images, result_images_);
    int64_t floats = 0;
    const auto size = [&](const PlanResult& r) { return r.channels * (r.domain == Domain::kImages ? most_images : most_rows); };
    for (const PlanResult& r : plan_.results) floats += round_up(size(r), 16);
    results_ = Buffer<float>(floats);
    float* at = results_.data();
    for (const PlanResult& r : plan_.results) {
      buffers_[static_cast<size_t>(r.buffer.id)] = at;
      at += round_up(size(r), 16);
    }
    result_rows_ = most_rows, result_images_ = most_images;
  }
}

void Executor::reserve_steps() {
  const auto reserve = [&](const Pass& pass) {
    for (const auto& step : plan_.steps)
      pass.for_each(step->work,
                    [&](int image, int64_t begin, int64_t end) { step->reserve(end - begin, pass.rows[0][image].count); });
  };
  Pass pass;
  for (int64_t i = 0; i < whole_; ++i) {
    place(own_[0], 0, batch_[static_cast<size_t>(i)], 0, 0, 0);
    pass.images = own_[0].images.data(), pass.image_count = 1, pass.rows = own_[0].row_lists.data();
    reserve(pass);
  }
  pass.images = shared_.images.data(), pass.image_count = static_cast<int>(static_cast<int64_t>(batch_.size()) - whole_);
  pass.rows = shared_.row_lists.data(), pass.threads = threads_;
  for (pass.thread = 0; pass.thread < threads_; ++pass.thread) reserve(pass);
}

/// One thread may get all images that are run by one.
void Executor::reserve_spans() {
  constexpr size_t kWaits = 3;  // of note_wait()
  for (auto& spans : spans_) spans.reserve((static_cast<size_t>(whole_) + 1) * plan_.steps.size() + kWaits);
}

// ---- a run ----

void Executor::run(Team& team) noexcept {
  next_.store(0, std::memory_order_relaxed);
  barriers_passed_.store(0, std::memory_order_relaxed);
  for (auto& spans : spans_) spans.clear();
  if (hooks_.poison) std::fill(arena_.begin(), arena_.end(), std::numeric_limits<float>::quiet_NaN());
  if (hooks_.profile) started_ = Clock::now();
  team.run(
      threads_, [](void* self, int thread) noexcept { static_cast<Executor*>(self)->work(thread); }, this);
  if (hooks_.profile) {
    for (int t = 0; t < threads_; ++t) note_wait(t, spans_[static_cast<size_t>(t)].back().end);
    sum_times();
  }
  ++runs_;
  counters_ = {1, barriers_passed_.load(std::memory_order_relaxed), static_cast<int>(plan_.steps.size())};
}

void Executor::work(int thread) noexcept {
  if (hooks_.profile) note_wait(thread, started_);
  Group& own = own_[static_cast<size_t>(thread)];
  for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < whole_;) {
    place(own, 0, batch_[static_cast<size_t>(i)], thread, thread * max_rows_, thread * max_key_rows_);
    run_steps(own, 1, thread, 0, 1);
  }
  const auto left = static_cast<int>(static_cast<int64_t>(batch_.size()) - whole_);
  if (left == 0) return;
  if (whole_ > 0) {  // the shared images take rows of the buffers that others' own images stood in
    const auto begin = hooks_.profile ? Clock::now() : Clock::time_point();
    barrier_.wait();
    if (hooks_.profile) note_wait(thread, begin);
    if (thread == 0) barriers_passed_.fetch_add(1, std::memory_order_relaxed);
  }
  run_steps(shared_, left, thread, thread, threads_);
}

int64_t Executor::rows_of(const Group& group, int image_count) noexcept {
  int64_t rows = 0;
  for (int i = 0; i < image_count; ++i) rows += group.rows[0][static_cast<size_t>(i)].count;
  return rows;
}

void Executor::run_steps(const Group& group, int image_count, int thread, int team_thread, int team_threads) noexcept {
  Pass pass;
  pass.thread = team_thread, pass.threads = team_threads;
  pass.column_threads = column_threads(rows_of(group, image_count), team_threads, plan_.few_rows);
  pass.images = group.images.data(), pass.image_count = image_count;
  pass.rows = group.row_lists.data(), pass.tokens = token_lists_.data();
  pass.buffers = buffers_.data();
  pass.scratch = scratch_.data() + thread * scratch_floats_;
  for (int s = 0; s < static_cast<int>(plan_.steps.size()); ++s) {
    const auto at = static_cast<size_t>(s);
    Span span{s, team_threads > 1 ? kNoImage : group.images[0].index, {}, {}, {}};
    if (hooks_.profile) span.ready = span.begin = Clock::now();
    if (hooks_.before_step != nullptr) hooks_.before_step(thread, s);
    if (team_threads > 1 && (pass.column_threads > 1 ? plan_.barrier_before_many : plan_.barrier_before)[at]) {
      barrier_.wait();
      if (hooks_.profile) span.ready = Clock::now();
      if (team_thread == 0) barriers_passed_.fetch_add(1, std::memory_order_relaxed);
    }
    plan_.steps[at]->run(pass);
    if (hooks_.poison && pass.column_threads == 1) poison_dead(pass, s);
    if (hooks_.profile) {
      span.end = Clock::now();
      note(pass, thread, span);
    }
  }
}

void Executor::note_wait(int thread, Clock::time_point begin) noexcept {
  const auto now = Clock::now();
  spans_[static_cast<size_t>(thread)].push_back({kNoStep, kNoImage, begin, now, now});
}

void Executor::note(const Pass& pass, int thread, const Span& span) noexcept {
  const auto at = static_cast<size_t>(span.step);
  spans_[static_cast<size_t>(thread)].push_back(span);
  StepTime& time = times_[static_cast<size_t>(thread) * plan_.steps.size() + at];
  time.microseconds += std::chrono::duration<double, std::micro>(span.end - span.begin).count();
  time.operations += plan_.steps[at]->operations(pass);
  time.bytes += bytes(pass, span.step);
}

void Executor::sum_times() noexcept {
  const size_t steps = totals_.size();
  size_t busiest = 0;
  double most = 0;
  for (size_t t = 0; t < static_cast<size_t>(threads_); ++t) {
    double sum = 0;
    for (size_t s = 0; s < steps; ++s) {
      const StepTime& time = times_[t * steps + s];
      sum += time.microseconds;
      totals_[s].operations += time.operations, totals_[s].bytes += time.bytes;
    }
    if (sum > most) busiest = t, most = sum;
  }
  for (size_t s = 0; s < steps; ++s) totals_[s].microseconds += times_[busiest * steps + s].microseconds;
  std::fill(times_.begin(), times_.end(), StepTime{});
}

/// This thread's part of what a step moves; weights and rows that all threads read are divided among them.
double Executor::bytes(const Pass& pass, int step) const noexcept {
  const StepTraffic& traffic = plan_.traffic[static_cast<size_t>(step)];
  const Work& work = plan_.steps[static_cast<size_t>(step)]->work;
  double floats = 0;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const auto rows = static_cast<double>(end - begin), all = static_cast<double>(pass.rows[work.stage][image].count);
    const double of_image = work.over == Over::kRows         ? rows / all
                            : work.over == Over::kPrefixRows ? rows / static_cast<double>(work.prefix_rows)
                                                             : 1.0;
    floats += rows * static_cast<double>(traffic.row_floats) + of_image * all * static_cast<double>(traffic.image_row_floats);
  });
  return floats * sizeof(float) + static_cast<double>(traffic.weight_bytes) / pass.threads;
}

void Executor::poison_dead(const Pass& pass, int step) const noexcept {
  for (const int buffer : plan_.dead_after[static_cast<size_t>(step)]) {
    const BufferRef dead{buffer, plan_.buffers[static_cast<size_t>(buffer)].stride};
    pass.for_each({Over::kRows, plan_.steps[static_cast<size_t>(step)]->work.stage, 0}, [&](int, int64_t begin, int64_t end) {
      std::fill(pass.row(dead, begin), pass.row(dead, end), std::numeric_limits<float>::quiet_NaN());
    });
  }
}

}  // namespace vit
