// SPDX-License-Identifier: Apache-2.0
// What calibration decides, and that its decisions change no value that anybody sees.
#include "quant/policy.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "quant/pack.h"
#include "runtime/session.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {
namespace {

constexpr TinyOptions kSizes{.embed_dim = 128, .num_heads = 2, .depth = 2, .mlp_dim = 256, .patch = 8, .image = 64, .labels = 40};

std::vector<float> run(const TinyModel& tiny, Precision precision, Isa isa, const std::string& tap = "") {
  Random random(3);
  const auto image = random.normals(3 * 64 * 64);
  SessionOptions options{.threads = 2, .precision = precision, .isa = isa_name(isa)};
  if (!tap.empty()) options.taps = {tap};
  Session session(tiny.model(), options);
  session.run(image.data(), 1, 64, 64, Output::kLogits);
  const ResultView result = tap.empty() ? session.output() : session.tap(tap);
  return {result.data, result.data + result.shape.elements()};
}

std::string plan_of(const TinyModel& tiny, Isa isa) {
  const Session session(tiny.model(), {.threads = 1, .precision = Precision::kInt8, .isa = isa_name(isa)});
  return session.describe_plan(64, 64);
}

}  // namespace

TEST_CASE("8-bit weights are symmetric, leave -128 out and give the largest weight exactly", "[engine]") {
  Random random(1);
  for (const float scale : {3e-38f, 1e-30f, 1e-3f, 1.0f, 1e30f}) {  // of the first, 127 / largest is infinite
    std::vector<float> w = random.normals(1000, scale);
    w[17] = -9 * scale;
    std::vector<int8_t> q(w.size());
    const float step = quantise_channel(w.data(), static_cast<int64_t>(w.size()), q.data());
    CHECK(q[17] == -127);
    CHECK(*std::min_element(q.begin(), q.end()) == -127);
    for (size_t i = 0; i < w.size(); ++i)  // half a step, and the rounding of the step itself
      CHECK(std::fabs(w[i] - step * static_cast<float>(q[i])) <= 0.5001f * step);
  }
  std::vector<int8_t> q(3, 5);
  const float zeros[3] = {};
  CHECK(quantise_channel(zeros, 3, q.data()) == 0);
  CHECK(q == std::vector<int8_t>{0, 0, 0});
}

TEST_CASE("packed weights have the same bits whatever number of threads packs them, and whatever was there before", "[engine]") {
  constexpr int64_t kIn = 50, kOut = 150, kPanel = 16;  // ten panels, the last one with six channels
  Random random(2);
  const std::vector<float> weights = random.normals(kIn * kOut), factor = random.normals(kIn);
  const auto pack = [&](Precision precision, Workers workers) {
    return pack_linear(
        precision, kIn, kOut, kPanel,
        [&](int64_t first, int64_t count, float* to) { std::copy_n(weights.begin() + first * kIn, count * kIn, to); }, nullptr,
        factor, {.workers = workers});
  };
  const auto same = [](const auto& a, const auto& b) {
    return a.size() == b.size() && std::equal(a.data(), a.data() + a.size(), b.data());
  };
  const MemorySeam system = memory_seam();
  for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) {
    const PackedLinear alone = pack(precision, {});
    memory_seam().allocate = [](size_t bytes, size_t alignment) {
      void* at = std::aligned_alloc(alignment, bytes);
      return at == nullptr ? nullptr : std::memset(at, 0xa5, bytes);
    };
    const PackedLinear on_dirt = pack(precision, {});
    memory_seam() = system;
    CHECK(same(alone.weight, on_dirt.weight));
    for (const int threads : {1, 2, 3, 7, 30}) {
      CAPTURE(precision_name(precision), threads);
      const auto team = make_team(TeamKind::kThreads, threads);
      const PackedLinear shared = pack(precision, {team.get(), threads});
      CHECK(same(alone.weight, shared.weight));
      CHECK(same(alone.scale, shared.scale));
      CHECK(same(alone.column_sum, shared.column_sum));
    }
  }
}

TEST_CASE("channels are brought down to the limit by powers of two, and only those above it", "[engine]") {
  CHECK(outlier_factors(std::vector<float>{1, 2, 3, 4, 5}, 4).empty());
  CHECK(outlier_factors(std::vector<float>{1, 1, 1, 4.1f, 300}, 4) == std::vector<float>{1, 1, 1, 2, 128});
  CHECK(outlier_factors(std::vector<float>{0, 0, 0, 7}, 4).empty());  // no median to measure by
  CHECK(outlier_factors(std::vector<float>{1, 1, 1, INFINITY, NAN}, 4).empty());
}

TEST_CASE("smoothing divides the difficulty between activations and weights, by powers of two", "[engine]") {
  const std::vector<float> ones{1, 1, 1, 1};
  CHECK(smoothing_factors(std::vector<float>{1, 1, 1, 64}, ones, 0.5f) == std::vector<float>{1, 1, 1, 8});
  CHECK(smoothing_factors(std::vector<float>{1, 1, 1, 64}, ones, 0.75f) == std::vector<float>{1, 1, 1, 32});  // 2^4.5
  CHECK(smoothing_factors(std::vector<float>{4, 4, 4, 0.25f}, ones, 0.5f) == std::vector<float>{1, 1, 1, 0.25f});
  CHECK(smoothing_factors(std::vector<float>{1, 1, 1, 64}, std::vector<float>{1, 1, 1, 16}, 0.5f) ==
        std::vector<float>{1, 1, 1, 2});
  CHECK(smoothing_factors(ones, ones, 0.5f).empty());
  // Channels that are always zero keep 1, and say nothing of the median.
  CHECK(smoothing_factors(std::vector<float>{0, 0, 2, 2, 32}, std::vector<float>{1, 0, 1, 1, 1}, 0.5f) ==
        std::vector<float>{1, 1, 1, 1, 4});
  CHECK(smoothing_factors(std::vector<float>{1, 1, 1, INFINITY, NAN, 1e30f, 1e-30f}, std::vector<float>(7, 1), 1) ==
        std::vector<float>{1, 1, 1, 1, 1, 65536, 1.0f / 65536});
  CHECK(smoothing_factors(std::vector<float>{0, 0}, std::vector<float>{1, 1}, 0.5f).empty());
}

TEST_CASE("powers of two moved from a norm into the weights behind it change no bit of float32", "[engine]") {
  TinyOptions with = kSizes;
  with.spread = 5;
  const TinyModel plain(kSizes), moved(with);
  CHECK(plain.weight("vit.encoder.layer.0.intermediate.dense.weight") !=
        moved.weight("vit.encoder.layer.0.intermediate.dense.weight"));
  for (const Isa isa : usable_isas()) {
    CAPTURE(isa_name(isa));
    CHECK(run(moved, Precision::kF32, isa) == run(plain, Precision::kF32, isa));
  }
}

TEST_CASE("an outlier behind a norm is moved into the weights, and 8 bits are enough again", "[engine]") {
  TinyOptions with = kSizes;
  with.outlier = 100;
  const TinyModel plain(kSizes), outlier(with);
  for (const Isa isa : usable_isas()) {
    CAPTURE(isa_name(isa));
    const std::vector<float> exact = run(outlier, Precision::kF32, isa);
    // The function is the same: a wide range of roundings apart, 1e-5 as in the test of a whole pass.
    CHECK(cosine(exact, run(plain, Precision::kF32, isa)) >= 1 - 1e-9);
    const double error = 1 - cosine(run(plain, Precision::kInt8, isa), run(plain, Precision::kF32, isa));
    // Moved, the channel is at most twice as large as it was: half a bit of 7, which may double the error.
    CHECK(1 - cosine(run(outlier, Precision::kInt8, isa), exact) <= 4 * error);
    CHECK(plan_of(outlier, isa).find("blocks.1.fc1") != std::string::npos);
  }
}

TEST_CASE("a tap on a norm shows the model's value, not what was made of it for 8 bits", "[engine]") {
  TinyOptions with = kSizes;
  with.outlier = 100;
  const TinyModel tiny(with);
  const Isa isa = usable_isas().back();
  const std::vector<float> exact = run(tiny, Precision::kF32, isa, "blocks.0.norm1"),
                           seen = run(tiny, Precision::kInt8, isa, "blocks.0.norm1");
  REQUIRE(exact.size() == seen.size());
  CHECK(cosine(exact, seen) >= 0.999);  // what patches in 8 bits cost; the channel divided would leave 0.1
  // A tap changes no other value.
  Random random(3);
  CHECK(std::fabs(cosine(run(tiny, Precision::kInt8, isa), run(tiny, Precision::kF32, isa)) - 1) <= 5e-3);
}

TEST_CASE("a layer that 8 bits do not fit stays in a wider type and is named", "[engine]") {
  TinyOptions with = kSizes;
  with.hidden_outlier = 300;
  const TinyModel tiny(with);
  for (const Isa isa : usable_isas()) {
    CAPTURE(isa_name(isa));
    const std::string plan = plan_of(tiny, isa), kept = plan.substr(0, plan.find("moved_channels"));
    const std::string wider = kernels(isa).has_bf16 ? "bf16" : "f32";
    for (const std::string layer : {"blocks.0.fc2", "blocks.1.fc2"}) {
      const size_t at = kept.find(layer);
      REQUIRE(at != std::string::npos);
      CHECK(kept.substr(at, 60).find(wider) != std::string::npos);
    }
    CHECK(kept.find("proj") == std::string::npos);
    // The bound of forward_test.cc.
    CHECK(cosine(run(tiny, Precision::kInt8, isa), run(tiny, Precision::kF32, isa)) >= 1 - 4.5e-3);
  }
}

TEST_CASE("rounded patch weights meet what pixels tell, not their mean", "[engine]") {
  // Pixels of 117 to 137: after the normalisation, by a mean and a deviation of 127.5, they are within 0.08 of zero.
  const TinyModel tiny(kSizes);
  Random random(5);
  std::vector<uint8_t> pixels = random.bytes(64 * 64 * 3);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(117 + pixel % 21);
  const PixelView view{pixels.data(), 64, 64, 64 * 3};
  for (const Isa isa : usable_isas()) {
    const auto tokens = [&](Precision precision) {
      Session session(tiny.model(), {.threads = 1, .precision = precision, .isa = isa_name(isa), .taps = {"tokens"}});
      session.run({&view, 1}, Output::kLogits);
      const ResultView result = session.tap("tokens");
      return std::vector<float>(result.data, result.data + result.shape.elements());
    };
    for (const Precision precision : {Precision::kBF16, Precision::kInt8}) {
      CAPTURE(isa_name(isa), precision_name(precision));
      // 8-bit weights are off by 3 / 127 / root 12 of their deviation, 0.7 %; of patches that are a quarter of the tokens' length
      // that is 1.5e-6 of the cosine. Against the mean it would be fifteen times the error and 3e-4.
      CHECK(cosine(tokens(precision), tokens(Precision::kF32)) >= 1 - 1e-5);
    }
  }
}

}  // namespace vit
