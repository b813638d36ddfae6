// SPDX-License-Identifier: Apache-2.0
// What a run may cost: one region, a barrier a block, no allocation.
#include "runtime/session.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {
namespace {

int64_t memory_requests = 0;
void* (*real_allocate)(size_t, size_t) = nullptr;
void* counting_allocate(size_t bytes, size_t alignment) {
  ++memory_requests;
  return real_allocate(bytes, alignment);
}

}  // namespace

TEST_CASE("a run opens one region, waits at most depth + 2 times and allocates nothing", "[engine]") {
  const TinyModel tiny;
  Random random(9);
  const auto images = random.normals(5 * 3 * 32 * 32);
  for (const auto& [threads, precision] :
       {std::pair{1, Precision::kF32}, std::pair{2, Precision::kF32}, std::pair{3, Precision::kF32},
        std::pair{2, Precision::kBF16}, std::pair{3, Precision::kInt8}})
    for (const int64_t batch : {1, 2, 5})
      for (const Output want : {Output::kLogits, Output::kFeatures, Output::kEmbedding}) {
        CAPTURE(threads, precision_name(precision), batch, static_cast<int>(want));
        Session session(tiny.model(), {.threads = threads, .precision = precision});
        session.run(images.data(), batch, 32, 32, want);  // reserves

        real_allocate = memory_seam().allocate;
        memory_seam().allocate = counting_allocate;
        memory_requests = 0;
        const int64_t before = allocations();
        session.run(images.data(), batch, 32, 32, want);
        const int64_t after = allocations();
        memory_seam().allocate = real_allocate;

        CHECK(memory_requests == 0);
        CHECK(after == before);
        CHECK(session.counters().regions == 1);
        CHECK(session.counters().barriers <= tiny.options().depth + 2);
        if (threads > 1 && batch == 1) CHECK(session.counters().barriers >= tiny.options().depth);
        if (batch % threads == 0) CHECK(session.counters().barriers == 0);  // whole images: nobody waits
      }
}

TEST_CASE("many threads share the columns of a block's products, which costs six waits more", "[engine]") {
  const TinyModel tiny({.embed_dim = 232, .num_heads = 2, .mlp_dim = 600});
  Random random(17);
  const auto image = random.normals(3 * 32 * 32);
  const auto counted = [&](int threads) {
    Session session(tiny.model(), {.threads = threads, .profile = true});
    session.run(image.data(), 1, 32, 32, Output::kFeatures);
    double operations = 0;
    for (const StepProfile& p : session.profile()) operations += p.operations;
    return std::pair{session.counters().barriers, operations};
  };
  const auto [few, one] = counted(1);
  const auto [some, eight] = counted(8);
  const auto [many, twelve] = counted(12);
  CHECK(few == 0);
  CHECK(some <= tiny.options().depth + 2);
  CHECK(many > some);
  CHECK(many <= 7 * tiny.options().depth + 2);
  CHECK(eight == Approx(one).epsilon(1e-12));
  CHECK(twelve == Approx(one).epsilon(1e-12));
}

TEST_CASE("memory does not grow with the batch", "[engine]") {
  const TinyModel tiny;
  Random random(10);
  const auto images = random.normals(40 * 3 * 32 * 32);
  const auto largest_request = [&](int64_t batch) {
    Session session(tiny.model(), {.threads = 2});
    static size_t most;
    most = 0;
    real_allocate = memory_seam().allocate;
    memory_seam().allocate = [](size_t bytes, size_t alignment) {
      most = std::max(most, bytes);
      return real_allocate(bytes, alignment);
    };
    session.run(images.data(), batch, 32, 32, Output::kLogits);
    memory_seam().allocate = real_allocate;
    return most;
  };
  CHECK(largest_request(2) == largest_request(40));
}

TEST_CASE("only the rows that the head reads are computed in the last block", "[engine]") {
  const TinyModel tiny;
  Random random(11);
  const auto image = random.normals(3 * 32 * 32);
  const auto operations = [&](Output want, const std::string& step) {
    Session session(tiny.model(), {.threads = 1, .profile = true});
    session.run(image.data(), 1, 32, 32, want);
    for (const StepProfile& p : session.profile())
      if (p.name == step) return p.operations;
    return -1.0;
  };
  const double all = operations(Output::kFeatures, "blocks.2"), one = operations(Output::kLogits, "blocks.2");
  CHECK(all == 17 * one);
  CHECK(operations(Output::kLogits, "blocks.1") == all);
}

TEST_CASE("a step's operations and bytes are the same for any number of threads", "[engine]") {
  const TinyModel tiny;
  Random random(12);
  const auto images = random.normals(3 * 3 * 32 * 32);
  const auto profile = [&](int threads, int64_t batch) {
    Session session(tiny.model(), {.threads = threads, .profile = true});
    session.run(images.data(), batch, 32, 32, Output::kLogits);
    return session.profile();
  };
  const auto one = profile(1, 1), three = profile(3, 1), batch = profile(1, 3);
  REQUIRE(one.size() == three.size());
  for (size_t s = 0; s < one.size(); ++s) {
    CAPTURE(one[s].name, one[s].implementation);
    CHECK(one[s].bytes > 0);
    // Thirds are summed in floating point.
    CHECK(three[s].bytes == Approx(one[s].bytes).epsilon(1e-12));
    CHECK(three[s].operations == one[s].operations);
    CHECK(batch[s].bytes == 3 * one[s].bytes);
  }
}

TEST_CASE("a linear step reads its input and its weights and writes its output, each once", "[engine]") {
  const TinyModel tiny;
  Random random(13);
  const auto image = random.normals(3 * 32 * 32);
  Session session(tiny.model(), {.threads = 1, .profile = true});
  session.run(image.data(), 1, 32, 32, Output::kFeatures);
  const int64_t rows = 17, lanes = kernels(session.isa()).panel_columns;
  const int64_t in = tiny.options().embed_dim, out = tiny.options().mlp_dim;
  for (const StepProfile& p : session.profile()) {
    if (p.name != "blocks.0.act") continue;
    const int64_t floats = rows * (row_stride(in) + row_stride(out)) + round_up(out, lanes) * (in + 1);
    CHECK(p.bytes == static_cast<double>(floats * 4));
    return;
  }
  FAIL("no such step");
}

namespace {

/// Which thread is slow, and at which step.
std::atomic<int> slow_thread{0}, slow_step{0};
void delay(int thread, int step) noexcept {
  if (thread == slow_thread && step == slow_step) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

}  // namespace

TEST_CASE("a run's times are of one thread, and come to those of the runs before, whichever thread was the busiest", "[engine]") {
  const TinyModel tiny;
  Random random(9);
  const auto images = random.normals(2 * 3 * 32 * 32);
  Session session(tiny.model(), {.threads = 2, .profile = true, .before_step = delay});
  std::vector<StepProfile> before;
  for (int run = 0; run < 6; ++run) {
    slow_thread = run < 2 ? 0 : 1, slow_step = run < 2 ? 0 : 3;
    session.run(images.data(), 2, 32, 32, Output::kLogits);
    const std::vector<StepProfile> now = session.profile();
    for (size_t s = 0; s < before.size(); ++s) {
      CAPTURE(run, now[s].name);
      CHECK(now[s].microseconds >= before[s].microseconds);
    }
    before = now;
  }
}

}  // namespace vit
