// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/attention.h"

#include "tests/onednn/checks.h"

namespace vit {
namespace {

struct Heads {
  int64_t heads, head_dim, tokens, qkv_pad = 0, y_pad = 0;
  int64_t channels() const { return heads * head_dim; }
  int64_t qkv_stride() const { return 3 * channels() + qkv_pad; }
  int64_t y_stride() const { return channels() + y_pad; }
  std::vector<float> random() const { return Random(static_cast<uint64_t>(tokens)).normals(tokens * qkv_stride(), 1.5f); }
  OneDnnAttention make() const { return {heads, head_dim, qkv_stride(), y_stride()}; }

  /// Rows [first, last) of y against the formula.
  bool right(const std::vector<float>& qkv, const float* y, int64_t first, int64_t last) const {
    const auto at = [&](int64_t row, int64_t part, int64_t head, int64_t d) {
      return static_cast<double>(qkv[static_cast<size_t>(row * qkv_stride() + part * channels() + head * head_dim + d)]);
    };
    const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
    std::vector<double> p(static_cast<size_t>(tokens));
    for (int64_t r = first; r < last; ++r) {
      for (int64_t h = 0; h < heads; ++h) {
        double largest = -1e30, score_error = 0, total = 0;
        for (int64_t t = 0; t < tokens; ++t) {
          double score = 0, size = 0;
          for (int64_t d = 0; d < head_dim; ++d)
            score += at(r, 0, h, d) * at(t, 1, h, d), size += std::abs(at(r, 0, h, d) * at(t, 1, h, d));
          p[static_cast<size_t>(t)] = score * scale;
          largest = std::max(largest, score * scale);
          score_error = std::max(score_error, static_cast<double>(head_dim + 4) * kUnit * size * scale);
        }
        for (double& v : p) total += v = std::exp(v - largest);
        for (int64_t d = 0; d < head_dim; ++d) {
          double out = 0, size = 0;
          for (int64_t t = 0; t < tokens; ++t) {
            const double term = p[static_cast<size_t>(t)] / total * at(t, 2, h, d);
            out += term, size += std::abs(term);
          }
          // A weight errs relatively by the error of its score and of the row's largest, by its exp (16 units) and by the sum of
          // T weights; the sum over T values by T roundings more.
          const double tolerance = size * (4 * score_error + static_cast<double>(2 * tokens + 32) * kUnit);
          if (!(std::abs(y[r * y_stride() + h * head_dim + d] - out) <= tolerance)) return false;
        }
      }
    }
    return true;
  }
};

/// Whole images, their second half, their first and their last row.
void check_rows_of(const Heads& h) {
  CAPTURE(h.heads, h.head_dim, h.tokens);
  OneDnnAttention attention = h.make();
  const int64_t bytes = attention.scratch_bytes(h.tokens);
  const auto qkv = h.random();
  const int64_t half = h.tokens / 2;
  for (const auto& [first, last] :
       {std::pair<int64_t, int64_t>{0, h.tokens}, {half, h.tokens}, {0, 1}, {h.tokens - 1, h.tokens}}) {
    Guarded<float> y((h.tokens - 1) * h.y_stride() + h.channels());
    Scratch scratch(bytes);
    attention.reserve(last - first, h.tokens);
    attention.run(first, last, h.tokens, qkv.data(), y.data(), scratch.data());
    CAPTURE(first, last);
    CHECK(h.right(qkv, y.data(), first, last));
    CHECK(y.guards_intact());
    CHECK(scratch.intact());
  }
}

}  // namespace

TEST_CASE("oneDNN attention agrees with double precision at awkward sizes", "[onednn]") {
  check_rows_of(GENERATE(Heads{1, 1, 1}, Heads{3, 5, 2}, Heads{2, 7, 50}, Heads{2, 80, 31}));
}

TEST_CASE("oneDNN attention agrees with double precision for large images", "[onednn][long]") {
  check_rows_of(GENERATE(Heads{3, 64, 197, 16, 16}, Heads{1, 33, 577, 7, 3}, Heads{1, 16, 2100}));
}

TEST_CASE("oneDNN attention's scratch grows linearly with the number of tokens and serves smaller images", "[onednn][long]") {
  const Heads large{2, 32, 3000};
  OneDnnAttention attention = large.make();
  const int64_t bytes = attention.scratch_bytes(3000);
  for (const int64_t tokens : {1, 2, 15, 128, 257, 513, 1023, 1025, 2049}) {
    const Heads h{2, 32, tokens};
    const auto qkv = h.random();
    std::vector<float> y(static_cast<size_t>(tokens * h.y_stride()));
    Scratch scratch(bytes);
    attention.reserve(tokens, tokens);
    attention.run(0, tokens, tokens, qkv.data(), y.data(), scratch.data());
    CAPTURE(tokens);
    CHECK(h.right(qkv, y.data(), 0, tokens));
    CHECK(scratch.intact());
  }
  CHECK(attention.scratch_bytes(12000) < 4 * bytes + 65536);
}

TEST_CASE("threads run one oneDNN attention at once on rows of one image", "[onednn][long]") {
  const TeamKind kind = GENERATE(TeamKind::kOpenMp, TeamKind::kThreads);
  const Heads h{2, 24, 83};
  OneDnnAttention attention = h.make();
  const int64_t bytes = attention.scratch_bytes(h.tokens);
  const auto qkv = h.random();
  constexpr int kThreads = 3;
  const auto row = [&](int thread) { return h.tokens * thread / kThreads; };
  for (int t = 0; t < kThreads; ++t) attention.reserve(row(t + 1) - row(t), h.tokens);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::vector<float> y(static_cast<size_t>(h.tokens * h.y_stride()));
    on_threads(kind, kThreads, [&](int thread) {
      Scratch scratch(bytes);
      attention.run(row(thread), row(thread + 1), h.tokens, qkv.data(), y.data(), scratch.data());
    });
    REQUIRE(h.right(qkv, y.data(), 0, h.tokens));
  }
}

}  // namespace vit
