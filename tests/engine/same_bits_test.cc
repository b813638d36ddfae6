// SPDX-License-Identifier: Apache-2.0
// A result's bits depend on nothing but the image and the instruction set.
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "runtime/session.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// Keeps a thread busy or asleep for a while that nobody can foresee, before every step.
void delay(int thread, int step) noexcept {
  thread_local Random random(static_cast<uint64_t>(thread) * 977 + 1);
  const int64_t kind = random.below(8);
  if (kind == 0) usleep(static_cast<useconds_t>(random.below(200)));
  if (kind == 1)
    for (int64_t i = random.below(3000 + step); i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// All of this CPU in all precisions; under a sanitizer, where a run takes a hundred times as long, the best one.
std::vector<std::pair<Isa, Precision>> tested() {
  std::vector<std::pair<Isa, Precision>> tested;
  for (const Isa isa : usable_isas()) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    if (isa != usable_isas().back()) continue;
#endif
    for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) tested.emplace_back(isa, precision);
  }
  return tested;
}

struct Pixels {
  std::vector<uint8_t> data;
  PixelView view;
  Pixels(Random& random, int64_t height, int64_t width) : data(random.bytes(height * width * 3)) {
    view = {data.data(), height, width, width * 3};
  }
};

}  // namespace

TEST_CASE("a ragged batch equals single runs bit for bit on any number of threads, delayed and poisoned", "[engine]") {
  // Patches of 8: 197, 50, 1 and 577 tokens are 14 x 14, 7 x 7, none, and 24 x 24 patches with a class token.
  const TinyModel tiny({.embed_dim = 56, .num_heads = 2, .depth = 3, .mlp_dim = 90, .patch = 8, .image = 112, .labels = 11});
  Random random(6);
  std::vector<Pixels> images;
  for (const auto& [height, width] : {std::pair{112, 112}, std::pair{56, 56}, std::pair{7, 7}, std::pair{192, 192}})
    images.emplace_back(random, height, width);
  std::vector<PixelView> batch;
  for (const Pixels& image : images) batch.push_back(image.view);

  for (const auto& [isa, precision] : tested())
    for (const Output want : {Output::kLogits, Output::kFeatures}) {
      std::vector<float> single;
      for (const PixelView& image : batch) {
        Session session(tiny.model(), {.threads = 1, .precision = precision, .isa = isa_name(isa)});
        session.run({&image, 1}, want);
        const ResultView r = session.output();
        single.insert(single.end(), r.data, r.data + r.shape.elements());
      }
      if (want == Output::kFeatures) REQUIRE(single.size() == (197 + 50 + 1 + 577) * 56);
      for (const int threads : {1, 2, 3, 7})
        for (const TeamKind team : {TeamKind::kOpenMp, TeamKind::kThreads}) {
          CAPTURE(isa_name(isa), precision_name(precision), threads, static_cast<int>(team), static_cast<int>(want));
          if (team == TeamKind::kOpenMp && default_team() != team) continue;  // a sanitizer that does not know OpenMP
          Session session(tiny.model(), {.threads = threads,
                                         .precision = precision,
                                         .isa = isa_name(isa),
                                         .team = team,
                                         .before_step = delay,
                                         .poison = true});
          for (int run = 0; run < 2; ++run) {
            session.run(batch, want);
            const ResultView r = session.output();
            REQUIRE(r.shape.elements() == static_cast<int64_t>(single.size()));
            CHECK(std::memcmp(r.data, single.data(), single.size() * sizeof(float)) == 0);
          }
        }
    }
}

TEST_CASE("two sessions of one model run at the same time", "[engine]") {
  const TinyModel tiny;
  Random random(7);
  const auto image = random.normals(3 * 32 * 32);
  std::vector<float> results[2];
  const auto work = [&](std::vector<float>& result) {
    Session session(tiny.model(), {.threads = 2, .team = TeamKind::kThreads});
    for (int i = 0; i < 5; ++i) session.run(image.data(), 1, 32, 32, Output::kLogits);
    const ResultView r = session.output();
    result.assign(r.data, r.data + r.shape.elements());
  };
  std::thread other(work, std::ref(results[0]));
  work(results[1]);
  other.join();
  CHECK(results[0] == results[1]);
}

TEST_CASE("a session that grows from small to large images and back gives the same bits", "[engine]") {
  const TinyModel tiny;
  Random random(8);
  const Pixels small(random, 32, 32), large(random, 64, 96);
  Session session(tiny.model(), {.threads = 2});
  session.run({&small.view, 1}, Output::kLogits);
  const std::vector<float> first(session.output().data, session.output().data + 7);
  session.run({&large.view, 1}, Output::kFeatures);
  CHECK(session.output().shape == Shape{1, 8 * 12 + 1, 48});
  session.run({&small.view, 1}, Output::kLogits);
  CHECK(std::memcmp(first.data(), session.output().data, first.size() * sizeof(float)) == 0);
}

}  // namespace vit
