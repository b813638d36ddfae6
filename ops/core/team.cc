// SPDX-License-Identifier: Apache-2.0
#include "ops/core/team.h"

#include <pthread.h>

#include <system_error>
#include <thread>
#include <vector>

#include "ops/core/error.h"

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vit {
namespace {

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

using Work = void (*)(void*, int) noexcept;

#if defined(_OPENMP)
class OpenMpTeam final : public Team {
 public:
  void run(int threads, Work work, void* context) noexcept override {
    if (threads == 1) return work(context, 0);
#pragma omp parallel num_threads(threads)
    {
      // The runtime may give fewer threads than asked for (OMP_THREAD_LIMIT): the team's barriers count on all of them, so the
      // region is only entered for real when they are there.
      if (omp_get_num_threads() == threads) {
        work(context, omp_get_thread_num());
      } else if (omp_get_thread_num() == 0) {
        short_of_threads(threads, work, context);
      }
    }
  }

 private:
  static void short_of_threads(int threads, Work work, void* context) noexcept {
    std::vector<std::thread> rest;
    for (int t = 1; t < threads; ++t) rest.emplace_back(work, context, t);
    work(context, 0);
    for (std::thread& thread : rest) thread.join();
  }
};
#endif

class ThreadTeam final : public Team {
 public:
  explicit ThreadTeam(int threads) {
    try {
      for (int t = 1; t < threads; ++t) threads_.emplace_back([this, t] { serve(t); });
    } catch (const std::system_error& error) {
      stop();
      throw Error(Code::kMemory, str("a team of ", threads, " threads could not be started: ", error.what()));
    }
  }
  ~ThreadTeam() override { stop(); }

  void run(int threads, Work work, void* context) noexcept override {
    if (threads == 1) return work(context, 0);
    work_ = work;
    context_ = context;
    active_ = threads;
    unfinished_.store(static_cast<uint32_t>(threads_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    work(context, 0);
    for (uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;)
      unfinished_.wait(left, std::memory_order_acquire);
  }

 private:
  void serve(int thread) noexcept {
    for (uint32_t seen = 0;; ++seen) {
      round_.wait(seen, std::memory_order_acquire);
      if (stopping_.load(std::memory_order_acquire)) return;
      if (thread < active_) work_(context_, thread);
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    }
  }
  void stop() noexcept {
    stopping_.store(true, std::memory_order_release);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> round_{0}, unfinished_{0};
  Work work_ = nullptr;
  void* context_ = nullptr;
  int active_ = 0;
};

std::atomic<bool> forked{false};
[[maybe_unused]] const int kWatchForks = pthread_atfork(nullptr, nullptr, [] { forked = true; });

}  // namespace

std::unique_ptr<Team> make_team(TeamKind kind, int threads) {
#if defined(_OPENMP)
  if (kind == TeamKind::kOpenMp) return std::make_unique<OpenMpTeam>();
#endif
  (void)kind;
  return std::make_unique<ThreadTeam>(threads);
}

TeamKind default_team() {
#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)
  return forked ? TeamKind::kThreads : TeamKind::kOpenMp;
#else
  return TeamKind::kThreads;
#endif
}

void Workers::for_each(int64_t count, const std::function<void(int, int64_t)>& each) const {
  struct Job {
    int64_t count, workers;
    const std::function<void(int, int64_t)>& each;
  } job{count, team == nullptr ? 1 : threads, each};
  const Work share = [](void* context, int worker) noexcept {
    const Job& all = *static_cast<const Job*>(context);
    const int64_t end = all.count * (worker + 1) / all.workers;
    for (int64_t i = all.count * worker / all.workers; i < end; ++i) all.each(worker, i);
  };
  if (team == nullptr)
    share(&job, 0);
  else
    team->run(threads, share, &job);
}

void Barrier::wait() noexcept {
  if (threads_ == 1) return;
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    phase_.notify_all();
    return;
  }
  // Threads of a balanced step arrive within some microseconds of each other; a sleep and its wake-up cost about 50.
  constexpr int kSpins = 20000;
  for (int i = 0; i < kSpins; ++i) {
    if (phase_.load(std::memory_order_acquire) != phase) return;
    relax();
  }
  while (phase_.load(std::memory_order_acquire) == phase) phase_.wait(phase, std::memory_order_acquire);
}

}  // namespace vit
