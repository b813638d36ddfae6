// SPDX-License-Identifier: Apache-2.0
// A team of threads that runs one parallel region at a time, and the barrier inside it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace vit {

/// Opens parallel regions. Not for two callers at once.
class Team {
 public:
  virtual ~Team() = default;
  /// Calls work(context, thread) once for each thread in [0, threads), thread 0 on the caller, and returns when all are done.
  virtual void run(int threads, void (*work)(void* context, int thread) noexcept, void* context) noexcept = 0;
};

enum class TeamKind {
  kOpenMp,  ///< the OpenMP runtime's pool
  kThreads  ///< our own threads: for a forked child (libgomp hangs there) and for thread sanitizers, which do not know libgomp
};
/// May throw Error(kMemory) when threads cannot be started.
std::unique_ptr<Team> make_team(TeamKind kind, int threads);
/// Threads that share some work outside of a pass: a team's, or the caller alone.
struct Workers {
  Team* team = nullptr;
  int threads = 1;
  /// As many as there are pieces of work; one if there is none.
  Workers at_most(int64_t count) const { return {team, static_cast<int>(std::clamp<int64_t>(count, 1, threads))}; }
  /// Calls each(worker, i) once for each i in [0, count), at the same time for other workers, who have consecutive ones each.
  /// Must not throw.
  void for_each(int64_t count, const std::function<void(int worker, int64_t i)>& each) const;
};

/// kOpenMp, unless this process was forked after the library was loaded or the build says otherwise.
TeamKind default_team();

/// Sense-reversing barrier: spins for a bounded time, then sleeps in the kernel. Needs no memory and no lock.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void set_threads(int threads) noexcept { threads_ = threads; }
  void wait() noexcept;

 private:
  int threads_;
  alignas(128) std::atomic<int> arrived_{0};
  alignas(128) std::atomic<uint32_t> phase_{0};
};

}  // namespace vit
