// SPDX-License-Identifier: Apache-2.0
// Teams of threads and the barrier between them.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "ops/core/team.h"
#include "tests/catch.h"

namespace vit {
namespace {

constexpr int kMostThreads = 7;

template <class Work>
void run(Team& team, int threads, Work& work) {
  team.run(
      threads, [](void* context, int thread) noexcept { (*static_cast<Work*>(context))(thread); }, &work);
}

TEST_CASE("a team calls the work once on each of its threads, again and again", "[core]") {
  const TeamKind kind = GENERATE(TeamKind::kOpenMp, TeamKind::kThreads);
  const int threads = GENERATE(1, 2, 3, 7);
  CAPTURE(static_cast<int>(kind), threads);
  const auto team = make_team(kind, threads);
  std::array<std::atomic<int>, kMostThreads> calls{};
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> first_is_caller{true};
  auto work = [&](int thread) {
    calls[static_cast<size_t>(thread)]++;
    if ((thread == 0) != (std::this_thread::get_id() == caller)) first_is_caller = false;
  };
  for (int round = 1; round <= 20; ++round) {
    run(*team, threads, work);
    for (int t = 0; t < kMostThreads; ++t) CHECK(calls[static_cast<size_t>(t)] == (t < threads ? round : 0));
  }
  CHECK(first_is_caller);
}

TEST_CASE("a team may run with fewer threads than it was made for", "[core]") {
  const TeamKind kind = GENERATE(TeamKind::kOpenMp, TeamKind::kThreads);
  const auto team = make_team(kind, 5);
  std::atomic<int> calls{0};
  auto work = [&](int) { calls++; };
  for (const int threads : {5, 1, 3, 2, 5}) {
    calls = 0;
    run(*team, threads, work);
    CHECK(calls == threads);
  }
}

TEST_CASE("behind a barrier every thread sees what all have written before it", "[core]") {
  const TeamKind kind = GENERATE(TeamKind::kOpenMp, TeamKind::kThreads);
  const int threads = GENERATE(1, 2, 3, 7);
  CAPTURE(static_cast<int>(kind), threads);
  constexpr int kPhases = 60;
  const auto team = make_team(kind, threads);
  Barrier barrier(threads);
  std::array<int, kMostThreads> written{};  // plain memory on purpose: only the barrier orders it
  std::atomic<int> wrong{0};
  auto work = [&](int thread) {
    for (int phase = 1; phase <= kPhases; ++phase) {
      // Now and then one thread comes so late that the others have gone to sleep.
      if (phase % 20 == 0 && thread == phase % threads) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      written[static_cast<size_t>(thread)] = phase;
      barrier.wait();
      for (int t = 0; t < threads; ++t)
        if (written[static_cast<size_t>(t)] != phase) wrong++;
      barrier.wait();
    }
  };
  run(*team, threads, work);
  CHECK(wrong == 0);
}

TEST_CASE("a barrier serves another number of threads afterwards", "[core]") {
  const auto team = make_team(TeamKind::kThreads, 4);
  Barrier barrier(4);
  std::atomic<int> passed{0};
  auto work = [&](int) {
    barrier.wait();
    passed++;
  };
  for (const int threads : {4, 2, 1, 3}) {
    barrier.set_threads(threads);
    passed = 0;
    run(*team, threads, work);
    CHECK(passed == threads);
  }
}

TEST_CASE("a forked child takes its own threads", "[core]") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(default_team() == TeamKind::kThreads ? 0 : 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

}  // namespace
}  // namespace vit
