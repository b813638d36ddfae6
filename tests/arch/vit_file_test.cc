// SPDX-License-Identifier: Apache-2.0
// .vit files: what was quantised computes the same bits as the source in that precision, whoever's layout the file has; damaged
// files are refused.
#include <cstring>
#include <random>

#include "ops/core/error.h"
#include "runtime/golden.h"
#include "runtime/io/checksum.h"
#include "runtime/io/json.h"
#include "runtime/io/vit_file.h"
#include "runtime/quantise.h"
#include "runtime/session.h"
#include "tests/arch/models.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/io/bytes.h"
#include "tests/support/random.h"
#include "tests/support/slow_build.h"
#include "tests/support/tally.h"

namespace vit {
namespace {

using ModelPointer = std::shared_ptr<const Model>;

/// The file as a model; the bytes stay where they are.
ModelPointer opened(const Buffer<uint8_t>& file) {
  return Model::open("a.vit", {{"model.safetensors", {file.data(), static_cast<size_t>(file.size())}}});
}
ModelPointer opened(const std::string& file) {
  return Model::open("a.vit", {{"model.safetensors", {reinterpret_cast<const uint8_t*>(file.data()), file.size()}}});
}

std::vector<float> embedding(const ModelPointer& model, Precision precision, const std::string& isa,
                             Backend backend = Backend::kOwn) {
  const ModelConfig& c = model->config();
  Random random(5);
  const auto input = random.normals(2 * c.channels * c.image_height * c.image_width);
  Session session(model, {.threads = 2, .backend = backend, .precision = precision, .isa = isa});
  session.run(input.data(), 2, c.image_height, c.image_width, Output::kEmbedding);
  const ResultView result = session.output();
  return {result.data, result.data + result.shape.elements()};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
bool same_bytes(const Buffer<uint8_t>& a, const Buffer<uint8_t>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size())) == 0;
}

std::string text_of(const Buffer<uint8_t>& file) { return {file.begin(), file.end()}; }

/// The same file with a right checksum, so that damage behind it is reached.
std::string sealed(std::string file) {
  if (file.size() < 4) return file;
  const uint32_t sum = file_checksum({reinterpret_cast<const uint8_t*>(file.data()), file.size() - 4});
  std::memcpy(file.data() + file.size() - 4, &sum, sizeof sum);
  return file;
}

TEST_CASE("a .vit file computes the bits of its source in its precision, and quantised again stays as it is", "[arch]") {
  std::vector<std::string> names = fixture_models();
  if (slow_build()) names = {"vit-classifier", "timm-things", "timm-map"};
  for (const std::string& name : names) {
    const auto source = Model::open(fixture_folder(name));
    const std::string isa = isa_name(usable_isas().back());
    for (const Scheme scheme : {Scheme::kInt8, Scheme::kBF16, Scheme::kF16, Scheme::kF32}) {
      CAPTURE(name, static_cast<int>(scheme));
      const Buffer<uint8_t> file = quantise(source, {.scheme = scheme});
      const ModelPointer made = opened(file);
      CHECK(made->vit_file()->layers.empty() == (scheme == Scheme::kF16));
      if (scheme != Scheme::kF16)
        CHECK(same_bits(embedding(made, made->precision(), isa), embedding(source, made->precision(), isa)));
      CHECK(same_bytes(quantise(source, {.scheme = scheme}), file));
      CHECK(same_bytes(quantise(made, {.scheme = scheme}), file));
      for (const Isa other : usable_isas()) {
        const Verification found = verify(made, isa_name(other));
        CHECK(found.f32_difference <= found.f32_tolerance);
        CHECK(found.cosine >= found.min_cosine);
      }
    }
  }
}

TEST_CASE("weights are the same numbers in the layout of every instruction set", "[arch]") {
  const TinyModel tiny;
  for (const Scheme scheme : {Scheme::kInt8, Scheme::kBF16, Scheme::kF32})
    for (const Isa made_on : usable_isas()) {
      const Buffer<uint8_t> file = quantise(tiny.model(), {.scheme = scheme, .isa = isa_name(made_on)});
      const ModelPointer made = opened(file);
      for (const Isa isa : usable_isas()) {
        CAPTURE(static_cast<int>(scheme), isa_name(made_on), isa_name(isa));
        const std::vector<float> expected = embedding(tiny.model(), made->precision(), isa_name(isa));
        CHECK(same_bits(embedding(made, made->precision(), isa_name(isa)), expected));
      }
    }
}

TEST_CASE("float32 and oneDNN read what the stored numbers stand for", "[arch]") {
  const TinyModel tiny({.outlier = 50});
  const Buffer<uint8_t> file = quantise(tiny.model(), {});
  const ModelPointer made = opened(file);
  bool moved = false;
  for (const auto& [name, layer] : made->vit_file()->layers) moved = moved || !layer.column_factor.empty();
  CHECK(moved);  // factors are undone where weights are read as float32
  const std::string isa = isa_name(usable_isas().back());
  const std::vector<float> source = embedding(tiny.model(), Precision::kF32, isa), own = embedding(made, Precision::kF32, isa);
  CHECK(cosine(own, source) > 0.999);  // 8-bit weights alone
  CHECK_FALSE(same_bits(own, source));
  try {
    CHECK(cosine(embedding(made, Precision::kF32, isa, Backend::kOneDnn), own) > 0.999999);
  } catch (const Error& error) {
    if (error.code() != Code::kUnsupported) throw;
    WARN("skipped: " << error.what());
  }
}

TEST_CASE("layers are kept in the type that was asked for, and said to be so", "[arch]") {
  const TinyModel tiny;
  const Buffer<uint8_t> file = quantise(tiny.model(), {.keep = {{"*.0.*", Precision::kBF16}, {"*.fc2", Precision::kF32}}});
  const ModelPointer made = opened(file);
  size_t kept = 0;
  for (const auto& [name, layer] : made->vit_file()->layers) {
    CAPTURE(name);
    const Precision expected = name.ends_with(".fc2")                  ? Precision::kF32
                               : name.find(".0.") != std::string::npos ? Precision::kBF16
                                                                       : Precision::kInt8;
    CHECK(layer.packed.precision == expected);
    kept += expected != Precision::kInt8;
  }
  CHECK(kept == 6);  // three other layers of the first block and fc2 of all three
  const JsonDocument report = parse_json(made->vit_file()->report, "report");
  for (const auto& [name, layer] : report.root().items()) CHECK(layer.contains("kept") == (layer["precision"] != "int8"));
  CHECK_THROWS_WITH(quantise(tiny.model(), {.keep = {{"block.*", Precision::kBF16}}}), Catch::Contains("block.*"));
  // A bound that no layer meets keeps all of them.
  const Buffer<uint8_t> strict = quantise(tiny.model(), {.min_cosine = 1});
  const ModelPointer strict_model = opened(strict);
  for (const auto& [name, layer] : strict_model->vit_file()->layers) CHECK(layer.packed.precision != Precision::kInt8);
}

TEST_CASE("progress reaches its end, and ends the work when it throws", "[arch]") {
  const TinyModel tiny;
  size_t calls = 0, last = 0, all = 0;
  quantise(tiny.model(), {.progress = [&](size_t done, size_t total) { ++calls, last = done, all = total; }});
  CHECK(all == 24);  // 12 layers, each tried and packed
  CHECK(last == all);
  CHECK(calls == all);
  CHECK_THROWS_WITH(quantise(tiny.model(), {.progress =
                                                [](size_t done, size_t) {
                                                  if (done == 5) throw Error(Code::kArgument, "enough");
                                                }}),
                    Catch::Contains("enough"));
}

TEST_CASE("20,000 truncated or changed .vit files are refused", "[arch][long]") {
  const TinyModel tiny({.embed_dim = 16, .num_heads = 1, .depth = 1, .mlp_dim = 16, .patch = 16, .image = 16, .labels = 2});
  const std::string whole = text_of(quantise(tiny.model(), {}));
  Tally tally("truncated and changed .vit files");
  std::mt19937 random(1);
  constexpr int64_t kMost = int64_t{1} << 20;
  while (tally.cases() < 20'000) {
    std::string file = whole;
    if (random() % 4 == 0)
      file.resize(random() % file.size());
    else
      file[random() % file.size()] ^= static_cast<char>(1 << random() % 8);
    if (!tally.is_new(file)) continue;
    tally.attempt(Code::kModel, kMost, [&] { opened(file); });
  }
  CHECK(tally.taken_cases() == 0);
}

/// Something else in place of one number, name or list of the header, or of the format's own texts in it.
std::string with_edit(const std::string& whole, std::mt19937& random) {
  static const char* const kOther[] = {
      "0",    "1",    "2",  "-1", "3",    "7",        "16",  "64",       "65",         "1024",
      "1e30", "null", "[]", "{}", "true", "\\\"\\\"", "NaN", "16777216", "4294967296", "9223372036854775807"};
  uint64_t bytes = 0;
  std::memcpy(&bytes, whole.data(), 8);
  std::string header = whole.substr(8, bytes);
  const size_t at = random() % header.size();
  const size_t from = header.find_first_of("0123456789", at), to = header.find_first_not_of("0123456789.-e", from);
  switch (random() % 3) {
    case 0: header[at] = static_cast<char>(' ' + random() % 95); break;
    case 1: {
      const size_t other = random() % header.size();
      header.replace(at, random() % 6, header, other, random() % 6);
      break;
    }
    default:
      if (from != std::string::npos) header.replace(from, to - from, kOther[random() % std::size(kOther)]);
  }
  return sealed(safetensors_file(header, whole.substr(8 + bytes)));
}

TEST_CASE("20,000 .vit files with wrong texts and right checksums are refused, or run", "[arch][long]") {
  const TinyModel tiny({.embed_dim = 16, .num_heads = 1, .depth = 1, .mlp_dim = 16, .patch = 16, .image = 16, .labels = 2});
  const std::string whole = text_of(quantise(tiny.model(), {.keep = {{"*.fc2", Precision::kBF16}}}));
  REQUIRE(sealed(whole) == whole);
  Tally tally(".vit files with wrong texts");
  std::mt19937 random(2);
  constexpr int64_t kMost = int64_t{1} << 26;
  while (tally.cases() < 20'000) {
    const std::string file = with_edit(whole, random);
    if (!tally.is_new(file)) continue;
    tally.attempt(Code::kModel, kMost, [&] {
      const ModelPointer model = opened(file);
      Session session(model, {.threads = 1, .precision = model->precision()});
      const std::vector<float> input(static_cast<size_t>(model->config().channels * 16 * 16));
      session.run(input.data(), 1, 16, 16, Output::kEmbedding);
    });
  }
  CHECK(tally.taken_cases() > 500);
  CHECK(tally.refused_cases() > 5'000);
}

TEST_CASE("a golden pass that does not come out is told", "[arch]") {
  const TinyModel tiny;
  std::string file = text_of(quantise(tiny.model(), {}));
  const auto logits = static_cast<size_t>(tiny.options().labels);
  float first = 0;
  char* const at = file.data() + file.size() - 4 - 4 * logits;
  std::memcpy(&first, at, sizeof first);
  first += 1;
  std::memcpy(at, &first, sizeof first);
  const std::string wrong = sealed(file);
  const Verification found = verify(opened(wrong), "");
  CHECK(found.f32_difference > found.f32_tolerance);
}

TEST_CASE("a .vit file of another version is refused by a sentence that names both", "[arch]") {
  const TinyModel tiny;
  std::string file = text_of(quantise(tiny.model(), {}));
  const std::string version = "\"vit.version\":\"1\"";
  const size_t at = file.find(version);
  REQUIRE(at != std::string::npos);
  file[at + version.size() - 2] = '2';
  CHECK_THROWS_WITH(opened(sealed(file)), Catch::Contains("expected 1") && Catch::Contains("found '2'"));
}

}  // namespace
}  // namespace vit
