// SPDX-License-Identifier: Apache-2.0
// Tokens that are dropped midway: what a step of token selection can rely on.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "ops/core/error.h"
#include "tests/catch.h"
#include "tests/engine/ragged.h"
#include "tests/engine/tiny_model.h"

namespace vit {
namespace {

/// Which patches stay; class tokens always do.
using Keep = bool (*)(int64_t patch, const float* row);
bool every_second(int64_t patch, const float*) { return patch % 2 == 0; }
bool positive(int64_t, const float* row) { return row[0] > 0; }
bool all(int64_t, const float*) { return true; }

struct KeepStep final : Step {
  BufferRef x, y;
  Keep keep = all;

  void run(const Pass& pass) const noexcept override {
    pass.for_each(work, [&](int image, int64_t, int64_t) {
      const ImageRows rows = pass.rows[work.stage][image];
      const TokenInfo* tokens = pass.tokens[work.stage];
      int64_t to = rows.begin, patch = 0;
      for (int64_t r = rows.begin; r < rows.begin + rows.count; ++r) {
        if (tokens[r].kind == TokenKind::kPatch && !keep(patch++, pass.row(x, r))) continue;
        std::memcpy(pass.row(y, to), pass.row(x, r), static_cast<size_t>(x.stride) * sizeof(float));
        pass.tokens[work.stage + 1][to++] = tokens[r];
      }
      pass.rows[work.stage + 1][image] = {rows.begin, to - rows.begin, rows.key_begin};
      // Whoever reads on behind the rows that are left shall notice.
      std::fill(pass.row(y, to), pass.row(y, rows.begin + rows.count), std::numeric_limits<float>::quiet_NaN());
    });
  }
};

TokenSelection keep_after(const std::string& node, Keep keep) {
  return {node, [keep](const Node&, BufferRef x, BufferRef y) {
            auto step = std::make_unique<KeepStep>();
            step->implementation = "keep some";
            step->x = x, step->y = y, step->keep = keep;
            return step;
          }};
}

std::vector<float> logits(const TinyModel& tiny, const std::vector<float>& image, const SessionOptions& options) {
  Session session(tiny.model(), options);
  const int64_t side = tiny.options().image;
  session.run(image.data(), 1, side, side, Output::kLogits);
  const ResultView r = session.output();
  return {r.data, r.data + r.shape.elements()};
}

/// Of a run's steps, by their names.
std::map<std::string, double> operations(const TinyModel& tiny, const std::vector<float>& image,
                                         const std::vector<TokenSelection>& selections) {
  Session session(tiny.model(), {.threads = 2, .selections = selections, .profile = true});
  const int64_t side = tiny.options().image;
  session.run(image.data(), 1, side, side, Output::kLogits);
  std::map<std::string, double> by_name;
  for (const StepProfile& p : session.profile()) by_name[p.name] += p.operations;
  return by_name;
}

}  // namespace

TEST_CASE("a ragged batch pruned midway equals single runs bit for bit on any number of threads, delayed and poisoned",
          "[engine][long]") {
  const TinyModel tiny({.embed_dim = 56, .num_heads = 2, .depth = 4, .mlp_dim = 90, .patch = 8, .image = 112, .labels = 11});
  Random random(14);
  const std::vector<Pixels> pictures = ragged_pictures(random);
  for (const auto& [isa, precision] : all_that_run()) {
    CAPTURE(isa_name(isa), precision_name(precision));
    SessionOptions options{.precision = precision, .isa = isa_name(isa)};
    Session whole(tiny.model(), options);
    whole.run({&pictures[0].view, 1}, Output::kLogits);
    options.selections = {keep_after("blocks.0", positive), keep_after("blocks.2", every_second)};
    const auto pruned = check_same_bits(tiny.model(), pictures, options, Output::kLogits);
    for (const float logit : pruned) CHECK(std::isfinite(logit));
    CHECK(std::memcmp(whole.output().data, pruned.data(), 11 * sizeof(float)) != 0);  // something was dropped
  }
}

TEST_CASE("a pruned pass agrees with plain loops over the tokens that are left", "[engine]") {
  const TinyModel tiny({.embed_dim = 40, .num_heads = 2, .depth = 3, .mlp_dim = 70, .patch = 8, .image = 40, .labels = 5});
  Random random(15);
  const auto image = random.normals(3 * 40 * 40);
  const size_t C = 40;
  const auto expected = plain_logits(tiny, image.data(), [&](int64_t block, std::vector<double>& tokens) {
    if (block != 0) return;
    std::vector<double> left(tokens.begin(), tokens.begin() + C);
    for (size_t patch = 0; patch < 25; patch += 2)
      left.insert(left.end(), tokens.begin() + (patch + 1) * C, tokens.begin() + (patch + 2) * C);
    tokens = left;
  });
  double largest = 1;
  for (const double v : expected) largest = std::max(largest, std::fabs(v));
  for (const Isa isa : usable_isas()) {
    CAPTURE(isa_name(isa));
    const auto found =
        logits(tiny, image, {.threads = 2, .isa = isa_name(isa), .selections = {keep_after("blocks.0", every_second)}});
    // As for a pass without selection, forward_test.cc.
    for (size_t i = 0; i < expected.size(); ++i) CHECK(std::fabs(found[i] - expected[i]) <= 1e-5 * largest);
  }
}

TEST_CASE("a selection that keeps all tokens changes no bit, and costs two barriers", "[engine]") {
  const TinyModel tiny;
  Random random(16);
  const auto image = random.normals(3 * 32 * 32);
  SessionOptions options{.threads = 2};
  Session plain(tiny.model(), options);
  options.selections = {keep_after("blocks.1", all)};
  Session selecting(tiny.model(), options);
  for (Session* session : {&plain, &selecting}) session->run(image.data(), 1, 32, 32, Output::kLogits);
  CHECK(std::memcmp(plain.output().data, selecting.output().data, 7 * sizeof(float)) == 0);
  CHECK(selecting.counters().barriers == plain.counters().barriers + 2);
}

TEST_CASE("half of the tokens are half of the work of each linear layer behind, and a quarter of attention's", "[engine]") {
  const TinyModel tiny({.depth = 6, .patch = 8, .image = 64});
  Random random(17);
  const auto image = random.normals(3 * 64 * 64);
  const auto whole = operations(tiny, image, {}), half = operations(tiny, image, {keep_after("blocks.2", every_second)});
  const double all_rows = 65, left = 33;
  for (const auto& [name, count] : whole) {
    CAPTURE(name);
    const bool behind = name.find("blocks.3") == 0 || name.find("blocks.4") == 0;
    const bool attention = name == "blocks.3.attention" || name == "blocks.4.attention";
    const double share = behind ? left / all_rows : 1;
    if (name.find("blocks.5") != 0) CHECK(half.at(name) == Approx(count * (attention ? share * share : share)).epsilon(1e-12));
  }
}

TEST_CASE("selections that cannot be are refused by name", "[engine]") {
  const TinyModel tiny;
  Random random(18);
  const auto image = random.normals(3 * 32 * 32);
  const auto refusal = [&](const std::string& after, Output want, Backend backend) -> std::string {
    Session session(tiny.model(), {.threads = 1, .backend = backend, .selections = {keep_after(after, every_second)}});
    try {
      session.run(image.data(), 1, 32, 32, want);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(refusal("blocks.0", Output::kLogits, Backend::kOwn).empty());
  CHECK(refusal("blocks.0.norm1", Output::kLogits, Backend::kOwn) ==
        "token selection after blocks.0.norm1: tokens is still to be read with all its rows");
  CHECK(has(refusal("blocks.9", Output::kLogits, Backend::kOwn), "expected nodes of which later ones read all rows"));
  CHECK(has(refusal("blocks.2", Output::kLogits, Backend::kOwn), "expected nodes of which later ones read all rows"));
  CHECK(has(refusal("blocks.0", Output::kFeatures, Backend::kOwn), "before tokens are selected"));
  CHECK(!refusal("blocks.0", Output::kLogits, Backend::kOneDnn).empty());
}

// By hand, on a quiet machine: vit_tests "[timing]". Times decide no test of a suite.
TEST_CASE("keeping half of the tokens after block 3 of a ViT-S costs within a tenth of proportional", "[.timing]") {
  const TinyModel tiny(
      {.embed_dim = 384, .num_heads = 6, .depth = 12, .mlp_dim = 1536, .patch = 16, .image = 224, .labels = 1000});
  Random random(19);
  const auto image = random.normals(3 * 224 * 224);
  // By operations, attention's counted as if they were proportional to the tokens.
  const auto selection = keep_after("blocks.3", every_second);
  const auto whole = operations(tiny, image, {}), half = operations(tiny, image, {selection});
  double all_work = 0, work_left = 0;
  for (const auto& [name, count] : whole) {
    all_work += count;
    if (count > 0) work_left += count * std::max(half.at(name) / count, 99.0 / 197);
  }
  work_left /= all_work;
  for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) {
    Session sessions[] = {{tiny.model(), {.precision = precision}},
                          {tiny.model(), {.precision = precision, .selections = {selection}}}};
    double best_us[] = {1e9, 1e9};
    for (int round = 0; round < 40; ++round)
      for (size_t s = 0; s < 2; ++s) {
        const auto start = std::chrono::steady_clock::now();
        sessions[s].run(image.data(), 1, 224, 224, Output::kLogits);
        const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
        best_us[s] = std::min(best_us[s], us);
      }
    const double proportional = best_us[0] * work_left;
    WARN(precision_name(precision) << ": " << best_us[0] << " us with all tokens, " << best_us[1] << " with half of them, "
                                   << best_us[1] / proportional << " of proportional");
    CHECK(best_us[1] <= 1.1 * proportional);
  }
}

}  // namespace vit
