// SPDX-License-Identifier: Apache-2.0
// From 8-bit pixels and from float planes: the same tokens, and no image of floats in between.
#include <cmath>

#include "runtime/session.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {
namespace {

struct Input {
  std::vector<uint8_t> pixels;
  std::vector<float> planes;  ///< the same, normalised
  int64_t height, width, stride;
  Input(const Model& model, int64_t h, int64_t w, int64_t extra) : height(h), width(w), stride(3 * w + extra) {
    Random random(12);
    pixels = random.bytes(height * stride);
    const Normalisation n = model.recipe().normalisation();
    for (int c = 0; c < 3; ++c)
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          planes.push_back(static_cast<float>(pixels[static_cast<size_t>(y * stride + 3 * x + c)] * n.scale[c] + n.shift[c]));
  }
  PixelView view() const { return {pixels.data(), height, width, stride}; }
};

}  // namespace

TEST_CASE("tokens from 8-bit pixels agree with those from normalised floats", "[engine]") {
  for (const int64_t patch : {4, 5, 14, 16}) {
    const TinyModel tiny({.patch = patch, .image = patch * 3});
    // A remainder at the right and the bottom is dropped; rows of pixels need not be adjacent.
    const Input input(*tiny.model(), patch * 3 + patch - 1, patch * 3 + 2, 7);
    const auto weights = tiny.weight("vit.embeddings.patch_embeddings.projection.weight");
    const int64_t in = 3 * patch * patch;
    for (const Isa isa : usable_isas()) {
      CAPTURE(patch, isa_name(isa));
      Session a(tiny.model(), {.threads = 2, .isa = isa_name(isa), .taps = {"tokens"}}),
          b(tiny.model(), {.threads = 1, .isa = isa_name(isa), .taps = {"tokens"}});
      a.run(std::vector{input.view()}, Output::kLogits);
      b.run(input.planes.data(), 1, input.height, input.width, Output::kLogits);
      const ResultView from_pixels = a.tap("tokens"), from_planes = b.tap("tokens");
      REQUIRE(from_pixels.shape == Shape{1, 10, 48});
      REQUIRE(from_planes.shape == from_pixels.shape);
      for (int64_t c = 0; c < 48; ++c) {
        // Each way adds K products of at most |w| |x|; a folded weight w/std is rounded once more and meets pixels of up to 255,
        // so its terms are 255 |scale| |w| <= 2 |w| here (mean = std = 0.5: |x| <= 1). Higham's bound for both sums, with the
        // bias:
        double terms = 4;
        for (int64_t k = 0; k < in; ++k) terms += std::fabs(weights[static_cast<size_t>(c * in + k)]) * 3;
        const double bound = 0x1p-24 * static_cast<double>(in + 8) * terms;
        for (int64_t t = 0; t < 10; ++t) {
          const int64_t i = t * 48 + c;
          CHECK(std::fabs(from_pixels.data[i] - from_planes.data[i]) <= bound);
        }
      }
    }
  }
}

TEST_CASE("no buffer of a run is as large as a float image or its patches in columns", "[engine]") {
  // One block of few channels on a large image: everything that its run asks for is counted.
  const TinyModel tiny({.embed_dim = 8, .num_heads = 1, .depth = 1, .mlp_dim = 8, .patch = 16, .image = 512, .labels = 2});
  const Input input(*tiny.model(), 512, 512, 0);
  static int64_t total;
  static void* (*real)(size_t, size_t);
  total = 0;
  Session session(tiny.model(), {.threads = 2});
  const Input small(*tiny.model(), 64, 64, 0);
  session.run(std::vector{small.view()}, Output::kLogits);  // packs the weights, which are no matter of a picture's size
  real = memory_seam().allocate;
  memory_seam().allocate = [](size_t bytes, size_t alignment) {
    total += static_cast<int64_t>(bytes);
    return real(bytes, alignment);
  };
  session.run(std::vector{input.view()}, Output::kLogits);
  memory_seam().allocate = real;
  // Activations and scratch together: less than the image in float32 (3 MiB), which is also the size of its patches.
  CHECK(total > 0);
  CHECK(total < 512 * 512 * 3 * 4);
}

}  // namespace vit
