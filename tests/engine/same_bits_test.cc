// SPDX-License-Identifier: Apache-2.0
// A result's bits depend on nothing but the image and the instruction set.
#include <cstring>
#include <thread>

#include "tests/catch.h"
#include "tests/engine/ragged.h"
#include "tests/engine/tiny_model.h"

namespace vit {

TEST_CASE("a ragged batch equals single runs bit for bit on any number of threads, delayed and poisoned", "[engine]") {
  const TinyModel tiny({.embed_dim = 56, .num_heads = 2, .depth = 3, .mlp_dim = 90, .patch = 8, .image = 112, .labels = 2400});
  Random random(6);
  const std::vector<Pixels> pictures = ragged_pictures(random);
  for (const auto& [isa, precision] : all_that_run())
    for (const Output want : {Output::kLogits, Output::kFeatures}) {
      CAPTURE(isa_name(isa), precision_name(precision));
      const auto bits = check_same_bits(tiny.model(), pictures, {.precision = precision, .isa = isa_name(isa)}, want);
      if (want == Output::kFeatures) REQUIRE(bits.size() == (197 + 50 + 1 + 577) * 56);
    }
}

TEST_CASE("threads so many that they share columns change no bit", "[engine][long]") {
  const TinyModel tiny({.embed_dim = 232, .num_heads = 2, .depth = 2, .mlp_dim = 600, .patch = 8, .image = 112, .labels = 600});
  Random random(16);
  std::vector<std::vector<Pixels>> batches(3);  // of 197, 50 and 2 x 50 tokens: two, eight and four threads share
  batches[0].emplace_back(random, 112, 112);
  batches[1].emplace_back(random, 56, 56);
  for (int i = 0; i < 2; ++i) batches[2].emplace_back(random, 56, 56);
  for (const auto& [isa, precision] : all_that_run())
    for (const std::vector<Pixels>& batch : batches) {
      CAPTURE(isa_name(isa), precision_name(precision), batch.size());
      check_same_bits(tiny.model(), batch, {.precision = precision, .isa = isa_name(isa)}, Output::kLogits, {16});
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
