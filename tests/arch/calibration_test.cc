// SPDX-License-Identifier: Apache-2.0
// Calibration on pictures: what it decides, that nothing but the pictures decides it, and what becomes of it in a file.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/core/error.h"
#include "runtime/calibrate.h"
#include "runtime/golden.h"
#include "runtime/io/vit_file.h"
#include "runtime/packed_weights.h"
#include "runtime/quantise.h"
#include "runtime/session.h"
#include "tests/arch/models.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {
namespace {

using ModelPointer = std::shared_ptr<const Model>;

// Channels of the norms from 1/32 to 32 times what they were, the weights behind them the other way round.
constexpr TinyOptions kSpread{
    .embed_dim = 128, .num_heads = 2, .depth = 2, .mlp_dim = 256, .patch = 8, .image = 64, .labels = 40, .spread = 5};

ModelPointer opened(const Buffer<uint8_t>& file) {
  return Model::open("a.vit", {{"model.safetensors", {file.data(), static_cast<size_t>(file.size())}}});
}
bool same_bytes(const Buffer<uint8_t>& a, const Buffer<uint8_t>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size())) == 0;
}

/// Noise of another contrast each; the last one is higher than the rest.
Pixels picture(int64_t index, int64_t last) {
  Pixels pixels(index == last ? 80 : 64, 64);
  Random random(static_cast<uint64_t>(index) + 1);
  const auto contrast = static_cast<uint8_t>(16 << index % 4);
  for (uint8_t& value : pixels.data) value = static_cast<uint8_t>(random.bits() % contrast);
  return pixels;
}

QuantiseOptions on_pictures(int64_t count, const std::string& isa = "", int threads = 1) {
  QuantiseOptions options;
  options.isa = isa, options.pictures = count, options.threads = threads;
  options.picture = [count](int64_t index) { return picture(index, count - 1); };
  return options;
}

std::vector<float> logits(const ModelPointer& model, Precision precision, const std::string& isa, int64_t index) {
  Session session(model, {.threads = 1, .precision = precision, .isa = isa});
  const Pixels pixels = picture(index, -1);
  session.run(std::vector{pixels.view()}, Output::kLogits);
  const ResultView result = session.output();
  return {result.data, result.data + result.shape.elements()};
}

/// Of the model's logits with those of the source in float32, on pictures that nobody calibrated on.
double error(const ModelPointer& made, const ModelPointer& source, const std::string& isa) {
  double sum = 0;
  for (int64_t index = 100; index < 108; ++index)
    sum += 1 - cosine(logits(made, Precision::kInt8, isa, index), logits(source, Precision::kF32, isa, index));
  return sum;
}

TEST_CASE("channels of every size are smoothed by calibration, and errors fall", "[arch]") {
  const TinyModel tiny(kSpread),
      plain({.embed_dim = 128, .num_heads = 2, .depth = 2, .mlp_dim = 256, .patch = 8, .image = 64, .labels = 40});
  for (const Isa set : usable_isas()) {
    const std::string isa = isa_name(set);
    CAPTURE(isa);
    // Every layer in 8 bits, however bad.
    QuantiseOptions with_pictures = on_pictures(8, isa), without{.isa = isa, .min_cosine = 0};
    with_pictures.min_cosine = 0;
    const Buffer<uint8_t> uncalibrated = quantise(tiny.model(), without), file = quantise(tiny.model(), with_pictures),
                          of_plain = quantise(plain.model(), without);
    const ModelPointer made = opened(file);
    const double calibrated = error(made, tiny.model(), isa);
    // Without pictures small channels stay as they are, and their weights, 32 times the others, take the steps of 8 bits.
    CHECK(calibrated < 0.5 * error(opened(uncalibrated), tiny.model(), isa));
    // Smoothed, the channels are again what they were made of, within a half of the powers of two: half a bit, or twice the
    // error.
    CHECK(calibrated < 4 * error(opened(of_plain), plain.model(), isa));
    for (const auto& [name, layer] : made->vit_file()->policy->layers) {
      CHECK(layer.pictures == 8);
      CHECK((layer.alpha > 0) == (name.ends_with("qkv") || name.ends_with("fc1")));
    }
  }
}

/// The value of a node for each picture, [rows, channels].
std::vector<float> rows_of(const ModelPointer& model, const std::string& node, int64_t pictures) {
  Session session(model, {.threads = 1, .taps = {node}});
  std::vector<float> all;
  for (int64_t i = 0; i < pictures; ++i) {
    const Pixels pixels = picture(i, pictures - 1);
    session.run(std::vector{pixels.view()}, Output::kLogits);
    const ResultView tap = session.tap(node);
    all.insert(all.end(), tap.data, tap.data + tap.shape.elements());
  }
  return all;
}

TEST_CASE("factors come from the greatest of all rows of all pictures", "[arch][long]") {
  const TinyModel tiny(kSpread);
  constexpr int64_t kPictures = 300;  // more than rows are kept
  const Buffer<uint8_t> file = quantise(tiny.model(), on_pictures(kPictures));
  const ModelPointer made = opened(file);
  const Graph& graph = tiny.model()->graph();
  int compared = 0;
  for (const auto& [name, layer] : made->vit_file()->policy->layers) {
    if (layer.alpha == 0) continue;
    CAPTURE(name);
    const auto channels = layer.column_factor.size();
    const std::vector<float> rows = rows_of(tiny.model(), layer.norm, kPictures);
    const LinearFloats weights = linear_floats(graph.nodes()[static_cast<size_t>(graph.find(name))].linear);
    std::vector<float> greatest(channels), weight(channels);
    for (size_t i = 0; i < rows.size(); ++i) greatest[i % channels] = std::max(greatest[i % channels], std::fabs(rows[i]));
    for (size_t i = 0; i < weights.weight.size(); ++i)
      weight[i % channels] = std::max(weight[i % channels], std::fabs(weights.weight[i]));
    CHECK(layer.column_factor == smoothing_factors(greatest, weight, static_cast<float>(layer.alpha)));
    ++compared;
  }
  CHECK(compared == 4);
}

TEST_CASE("a calibrated file depends on its pictures, not on threads, and stays as it is", "[arch]") {
  const TinyModel tiny(kSpread);
  const Buffer<uint8_t> file = quantise(tiny.model(), on_pictures(5));
  for (const int threads : {2, 3, 7}) CHECK(same_bytes(quantise(tiny.model(), on_pictures(5, "", threads)), file));
  CHECK_FALSE(same_bytes(quantise(tiny.model(), on_pictures(4)), file));
  const ModelPointer made = opened(file);
  CHECK(same_bytes(quantise(made, {}), file));
  CHECK(made->vit_file()->report.find("\"calibration_pictures\":5") != std::string::npos);
  CHECK(made->vit_file()->report.find("\"alpha\":") != std::string::npos);
  for (const Isa isa : usable_isas()) {
    const Verification found = verify(made, isa_name(isa));
    CHECK(found.f32_difference <= found.f32_tolerance);
    CHECK(found.cosine >= found.min_cosine);
  }
  const Buffer<uint8_t> uncalibrated = quantise(tiny.model(), {});
  CHECK(opened(uncalibrated)->vit_file()->report.find("calibration") == std::string::npos);
}

TEST_CASE("the seeded picture is the model's own size, or so many of its patches", "[arch]") {
  ModelConfig config;
  config.image_height = 224, config.image_width = 84, config.patch_height = 16, config.patch_width = 14;
  const SeededInput whole(config), some(config, 8);
  CHECK((whole.height() == 224 && whole.width() == 84));
  CHECK((some.height() == 128 && some.width() == 84));
  CHECK((some.pixels().height == 128 && some.pixels().width == 84));
}

TEST_CASE("what the seeded picture tells of each layer does not depend on threads", "[arch]") {
  const TinyModel tiny(kSpread);
  const Buffer<uint8_t> file = quantise(tiny.model(), {.threads = 1});
  for (const int threads : {2, 3, 7}) CHECK(same_bytes(quantise(tiny.model(), {.threads = threads}), file));
}

TEST_CASE("a calibrated file computes the bits of its source under the same policy", "[arch]") {
  const Buffer<uint8_t> file = quantise(TinyModel(kSpread).model(), on_pictures(5));
  const ModelPointer made = opened(file);
  const TinyModel source(kSpread);
  for (const Isa isa : usable_isas()) {
    source.model()->policy(isa_name(isa), [&] { return *made->vit_file()->policy; });
    CHECK(logits(made, Precision::kInt8, isa_name(isa), 9) == logits(source.model(), Precision::kInt8, isa_name(isa), 9));
  }
}

TEST_CASE("every family of models can be calibrated", "[arch]") {
  for (const std::string& name : fixture_models()) {
    const auto source = Model::open(fixture_folder(name));
    const ModelConfig& config = source->config();
    CAPTURE(name);
    QuantiseOptions options;
    options.pictures = 2, options.threads = 2;
    options.picture = [&](int64_t index) {
      Pixels pixels(config.image_height, config.image_width);
      Random random(static_cast<uint64_t>(index));
      for (uint8_t& value : pixels.data) value = static_cast<uint8_t>(random.bits());
      return pixels;
    };
    if (config.channels != 3) {
      CHECK_THROWS_WITH(quantise(source, options), Catch::Contains("channels, and calibration pictures have 3"));
      continue;
    }
    const Buffer<uint8_t> file = quantise(source, options);
    const ModelPointer made = opened(file);
    // Also where several layers read a norm. The bound of precision_test.cc.
    CHECK(cosine(golden_pass(made, Precision::kInt8, ""), golden_pass(source, Precision::kF32, "")) >= 1 - 9e-3);
    for (const auto& [layer, choice] : made->vit_file()->policy->layers) CHECK(choice.pictures == 2);
  }
}

TEST_CASE("calibration ends where its pictures do, and counts them", "[arch]") {
  const TinyModel tiny(kSpread);
  QuantiseOptions options = on_pictures(5);
  size_t calls = 0, last = 0, all = 0;
  options.progress = [&](size_t done, size_t total) { ++calls, last = done, all = total; };
  quantise(tiny.model(), options);
  CHECK(calls == 5 + 2 * 8);  // pictures; layers, each tried and packed
  CHECK((last == calls && all == calls));

  options.progress = [](size_t done, size_t) { VIT_CHECK(done < 3, Code::kArgument, "enough"); };
  CHECK_THROWS_WITH(quantise(tiny.model(), options), "enough");
  options = on_pictures(5);
  options.picture = [](int64_t index) {
    VIT_CHECK(index < 4, Code::kImage, "no picture");
    return picture(index, 0);
  };
  CHECK_THROWS_WITH(quantise(tiny.model(), options), "no picture");
  options = on_pictures(5);
  options.scheme = Scheme::kBF16;
  CHECK_THROWS_WITH(quantise(tiny.model(), options), Catch::Contains("expected scheme int8"));
}

}  // namespace
}  // namespace vit
