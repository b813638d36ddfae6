// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ops/core/error.h"
#include "runtime/session.h"
#include "tests/catch.h"
#include "tests/emulated/tables.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {

TEST_CASE("a whole pass agrees with plain loops in double precision at awkward sizes", "[engine]") {
  const TinyOptions sizes[] = {
      {},
      {.embed_dim = 36, .num_heads = 3, .depth = 2, .mlp_dim = 37, .patch = 5, .image = 35, .labels = 1},
      {.embed_dim = 64, .num_heads = 1, .depth = 2, .mlp_dim = 256, .patch = 4, .image = 32, .labels = 10},
      // a sum that is cut into three blocks, and one into two
      {.embed_dim = 40, .num_heads = 2, .depth = 1, .mlp_dim = 801, .patch = 8, .image = 24, .labels = 5},
      {.embed_dim = 390, .num_heads = 6, .depth = 1, .mlp_dim = 50, .patch = 8, .image = 16, .labels = 2},
      {.embed_dim = 33, .num_heads = 11, .depth = 1, .mlp_dim = 7, .patch = 16, .image = 16, .labels = 3}};
  for (const TinyOptions& options : sizes) {
    const TinyModel tiny(options);
    Random random(3);
    const auto image = random.normals(3 * options.image * options.image);
    const std::vector<double> expected = plain_logits(tiny, image.data());
    double largest = 0;
    for (const double v : expected) largest = std::max(largest, std::fabs(v));
    for (const TestedSet& set : tested_sets())
      for (const int threads : {1, 3}) {
        CAPTURE(set.kernels->isa, threads, options.embed_dim);
        Session session(tiny.model(), {.threads = threads, .kernels = set.kernels});
        session.run(image.data(), 1, options.image, options.image, Output::kLogits);
        const ResultView logits = session.output();
        REQUIRE(logits.shape == Shape{1, options.labels});
        // Errors of a layer are some half-units of its values and pass on through at most three residual blocks that do not
        // amplify them much: 1e-5 of the largest logit is 80 units; the product's promise is 2e-4.
        for (size_t i = 0; i < expected.size(); ++i) CHECK(std::fabs(logits.data[i] - expected[i]) <= 1e-5 * (largest + 1));
      }
  }
}

TEST_CASE("narrow precisions stay near plain loops in double precision on every instruction set", "[engine]") {
  const TinyOptions sizes[] = {
      {.embed_dim = 128, .num_heads = 2, .depth = 2, .mlp_dim = 256, .patch = 8, .image = 64, .labels = 40},
      {.embed_dim = 72, .num_heads = 1, .depth = 2, .mlp_dim = 200, .patch = 7, .image = 63, .labels = 40},
      {.embed_dim = 99, .num_heads = 11, .depth = 2, .mlp_dim = 130, .patch = 16, .image = 80, .labels = 40}};
  for (const TinyOptions& options : sizes) {
    const TinyModel tiny(options);
    Random random(3);
    const auto image = random.normals(3 * options.image * options.image);
    const std::vector<double> expected = plain_logits(tiny, image.data());
    for (const TestedSet& set : tested_sets())
      for (const Precision precision : {Precision::kBF16, Precision::kInt8}) {
        CAPTURE(set.kernels->isa, precision_name(precision), options.embed_dim);
        Session session(tiny.model(), {.threads = 2, .precision = precision, .kernels = set.kernels});
        session.run(image.data(), 1, options.image, options.image, Output::kLogits);
        const ResultView logits = session.output();
        double both = 0, a = 0, b = 0;
        for (size_t i = 0; i < expected.size(); ++i) {
          const double v = logits.data[i];
          both += v * expected[i], a += v * v, b += expected[i] * expected[i];
        }
        // Roundings are independent. One to bfloat16 changes a vector by 2^-9 / root 3 of its length, there are three a layer and
        // eight layers in a row: root 24 of that is 5.5e-3, and the cosine loses half its square, 1.5e-5; thrice that is allowed.
        // Where attention is bf16, too, queries, keys, values and probabilities of two blocks make 32 of them, 2e-5.
        // One to 7 bits over a range of six deviations changes it by 6 / 127 / root 12, twice a layer: 1.5e-3, the same way.
        const double bf16_loss = set.kernels->has_bf16 ? 6e-5 : 4.5e-5;
        CHECK(both / std::sqrt(a * b) >= 1 - (precision == Precision::kBF16 ? bf16_loss : 4.5e-3));
      }
  }
}

TEST_CASE("the oneDNN backend runs whole passes and agrees with our own kernels", "[engine]") {
  const TinyOptions sizes[] = {{},
                               {.embed_dim = 36,
                                .num_heads = 3,
                                .depth = 2,
                                .mlp_dim = 37,
                                .patch = 5,
                                .image = 35,
                                .labels = 3,
                                .activation = "quick_gelu"}};
  for (const TinyOptions& options : sizes) {
    const TinyModel tiny(options);
    Random random(5);
    const int64_t side = options.image;
    const auto images = random.normals(3 * 3 * side * side);
    for (const Output want : {Output::kLogits, Output::kFeatures, Output::kEmbedding})
      for (const int threads : {1, 2, 3}) {
        CAPTURE(threads, static_cast<int>(want), options.embed_dim);
        Session own(tiny.model(), {.threads = threads}), other(tiny.model(), {.threads = threads, .backend = Backend::kOneDnn});
        try {
          other.run(images.data(), 3, side, side, want);
        } catch (const Error& error) {
          if (error.code() != Code::kUnsupported) throw;
          WARN("skipped: " << error.what());
          return;
        }
        own.run(images.data(), 3, side, side, want);
        const ResultView a = own.output(), b = other.output();
        REQUIRE(a.shape == b.shape);
        float largest = 1;
        for (int64_t i = 0; i < a.shape.elements(); ++i) largest = std::max(largest, std::fabs(a.data[i]));
        // Both stay within 1e-5 of double precision (above); oneDNN's GELU is an approximation to 5e-7 of its own.
        for (int64_t i = 0; i < a.shape.elements(); ++i) CHECK(std::fabs(a.data[i] - b.data[i]) <= 3e-5f * largest);
        CHECK(other.counters().barriers <= options.depth + 2);
      }
  }
}

TEST_CASE("taps hold what the graph says, and do not change the result", "[engine]") {
  const TinyModel tiny;
  Random random(4);
  const auto image = random.normals(3 * 32 * 32);
  Session plain(tiny.model(), {.threads = 1});
  plain.run(image.data(), 1, 32, 32, Output::kLogits);
  const ResultView expected = plain.output();

  std::vector<std::string> all;
  for (size_t i = 0; i < tiny.model()->graph().nodes().size(); ++i)
    if (can_tap(tiny.model()->graph(), static_cast<int>(i))) all.push_back(tiny.model()->graph().nodes()[i].name);
  Session tapped(tiny.model(), {.threads = 2, .taps = all});
  tapped.run(image.data(), 1, 32, 32, Output::kLogits);
  for (int64_t i = 0; i < expected.shape.elements(); ++i) CHECK(tapped.output().data[i] == expected.data[i]);
  CHECK(tapped.tap("blocks.0.qkv").shape == Shape{1, 17, 3 * 48});
  CHECK(tapped.tap("pool").shape == Shape{1, 48});

  // x + proj + mlp = the block's output, by the taps alone.
  const ResultView sum = tapped.tap("blocks.1"), x = tapped.tap("blocks.0.residual1");
  CHECK(sum.shape == x.shape);
  CHECK_THROWS_AS(tapped.tap("blocks.9"), Error);
  Session wrong(tiny.model(), {.taps = {"blocks.9"}});
  CHECK_THROWS_AS(wrong.run(image.data(), 1, 32, 32, Output::kLogits), Error);
}

}  // namespace vit
