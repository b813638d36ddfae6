// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/linear.h"

#include "ops/core/error.h"
#include "ops/onednn/onednn.h"
#include "tests/onednn/checks.h"

namespace vit {
namespace {

struct Layer {
  int64_t in, out, x_pad = 0, y_pad = 0;
  Activation activation = Activation::kNone;
  bool with_bias = true, with_gamma = false, accumulate = false;
  std::vector<float> weight{}, bias{}, gamma{};

  OneDnnLinear make() {
    Random random(static_cast<uint64_t>(in * 31 + out));
    weight = random.normals(in * out), bias = random.normals(out), gamma = random.normals(out);
    return OneDnnLinear({.in = in,
                         .out = out,
                         .x_stride = in + x_pad,
                         .y_stride = out + y_pad,
                         .weight = weight.data(),
                         .bias = with_bias ? bias.data() : nullptr,
                         .gamma = with_gamma ? gamma.data() : nullptr,
                         .activation = activation,
                         .accumulate = accumulate});
  }

  /// The first wrong row, or -1; x [rows, in], before and after [rows, out], in strides.
  int64_t first_wrong(int64_t rows, const float* x, const float* before, const float* after) const {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t n = 0; n < out; ++n) {
        const double factor = with_gamma ? gamma[static_cast<size_t>(n)] : 1,
                     shift = with_bias ? bias[static_cast<size_t>(n)] : 0;
        double sum = shift, size = std::abs(shift);
        for (int64_t k = 0; k < in; ++k) {
          const double term = static_cast<double>(x[r * (in + x_pad) + k]) * weight[static_cast<size_t>(n * in + k)];
          sum += term, size += std::abs(term);
        }
        const double start = accumulate ? before[r * (out + y_pad) + n] : 0, v = start + factor * sum;
        // A sum of K products, in any order, errs by K roundings of its terms; four more for gamma, bias, residual and store.
        const double linear = static_cast<double>(in + 4) * kUnit * (std::abs(factor) * size + std::abs(start));
        const double tolerance = kSteepest * linear + activation_error(activation, v);
        if (!(std::abs(after[r * (out + y_pad) + n] - activate(activation, v)) <= tolerance)) return r;
      }
    }
    return -1;
  }

  void check(OneDnnLinear& linear, int64_t rows, int64_t scratch_bytes) const {
    CAPTURE(in, out, x_pad, y_pad, rows, accumulate, with_bias, with_gamma);
    Random random(static_cast<uint64_t>(rows));
    const auto x = random.normals(rows * (in + x_pad)), before = random.normals(rows * (out + y_pad));
    Guarded<float> y(before);
    Scratch scratch(scratch_bytes);
    linear.run(rows, x.data(), y.data(), scratch.data());
    CHECK(first_wrong(rows, x.data(), before.data(), y.data()) == -1);
    CHECK(y.guards_intact());
    CHECK(scratch.intact());
    bool padding_kept = true;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t n = out; n < out + y_pad; ++n)
        padding_kept &= y[r * (out + y_pad) + n] == before[static_cast<size_t>(r * (out + y_pad) + n)];
    CHECK(padding_kept);
  }
};

}  // namespace

TEST_CASE("a oneDNN linear layer agrees with double precision at awkward sizes", "[onednn]") {
  const auto size =
      GENERATE(std::pair<int64_t, int64_t>{3, 1}, std::pair<int64_t, int64_t>{7, 10}, std::pair<int64_t, int64_t>{48, 65},
               std::pair<int64_t, int64_t>{192, 577}, std::pair<int64_t, int64_t>{588, 33}, std::pair<int64_t, int64_t>{1000, 1},
               std::pair<int64_t, int64_t>{3072, 67});
  const int64_t pad = GENERATE(0, 16, 5);
  Layer layer{.in = size.first, .out = size.second, .x_pad = pad, .y_pad = pad};
  OneDnnLinear linear = layer.make();
  CHECK(linear.in() == size.first);
  CHECK(linear.out() == size.second);
  const int64_t bytes = linear.scratch_bytes(200);
  for (const int64_t rows : {1, 2, 5, 6, 17, 99, 200}) linear.reserve(rows);
  for (const int64_t rows : {1, 2, 5, 6, 17, 99, 200}) layer.check(linear, rows, bytes);
}

TEST_CASE("a oneDNN linear layer runs row counts that were not reserved", "[onednn]") {
  Layer layer{.in = 33, .out = 20};
  OneDnnLinear linear = layer.make();
  layer.check(linear, 3, linear.scratch_bytes(1));  // one by one
  const int64_t bytes = linear.scratch_bytes(50);
  linear.reserve(8), linear.reserve(50);
  for (const int64_t rows : {1, 3, 8, 9, 31, 50, 61, 123}) layer.check(linear, rows, bytes);
}

TEST_CASE("a oneDNN linear layer fuses activation, LayerScale and residual", "[onednn]") {
  for (const bool with_bias : {true, false}) {
    for (const bool with_gamma : {true, false}) {
      for (const bool accumulate : {true, false}) {
        Layer layer{.in = 96, .out = 50, .y_pad = 14, .with_bias = with_bias, .with_gamma = with_gamma, .accumulate = accumulate};
        OneDnnLinear linear = layer.make();
        const int64_t bytes = linear.scratch_bytes(13);
        linear.reserve(13);
        layer.check(linear, 13, bytes);
      }
    }
  }
  for (const Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu, Activation::kSilu,
                                      Activation::kRelu, Activation::kTanh}) {
    CAPTURE(activation_name(activation));
    for (const int64_t in : {4, 96}) {
      Layer layer{.in = in, .out = 50, .activation = activation};
      OneDnnLinear linear = layer.make();
      const int64_t bytes = linear.scratch_bytes(13);
      linear.reserve(13);
      layer.check(linear, 13, bytes);
      layer.check(linear, 1, bytes);
    }
  }
}

TEST_CASE("threads run one oneDNN linear layer at once on different rows", "[onednn][long]") {
  const TeamKind kind = GENERATE(TeamKind::kOpenMp, TeamKind::kThreads);
  constexpr int kThreads = 4;
  constexpr int64_t kRows = 25;
  Layer layer{.in = 128, .out = 96, .x_pad = 16, .y_pad = 16, .accumulate = true};
  OneDnnLinear linear = layer.make();
  const int64_t bytes = linear.scratch_bytes(kRows);
  linear.reserve(kRows);
  Random random(5);
  const auto x = random.normals(kThreads * kRows * 144), before = random.normals(kThreads * kRows * 112);
  for (int repeat = 0; repeat < 20; ++repeat) {
    auto y = before;
    on_threads(kind, kThreads, [&](int thread) {
      Scratch scratch(bytes);
      linear.run(kRows, x.data() + thread * kRows * 144, y.data() + thread * kRows * 112, scratch.data());
    });
    REQUIRE(layer.first_wrong(kThreads * kRows, x.data(), before.data(), y.data()) == -1);
  }
}

TEST_CASE("a oneDNN linear layer keeps what the next run needs and forgets old row counts", "[onednn]") {
  Layer layer{.in = 8, .out = 8};
  OneDnnLinear linear = layer.make();
  const int64_t bytes = linear.scratch_bytes(400);
  for (int64_t rows = 1; rows <= 150; ++rows) linear.reserve(rows);  // one run may need more than are kept otherwise
  for (const int64_t rows : {1, 64, 65, 149, 150}) layer.check(linear, rows, bytes);
  for (int64_t rows = 200; rows < 400; ++rows) {
    linear.reserve(rows);
    layer.check(linear, rows, bytes);
  }
  layer.check(linear, 3, bytes);
}

TEST_CASE("oneDNN tells its version and refuses a late instruction set", "[onednn]") {
  CHECK(std::string(onednn_version()).find('.') != std::string::npos);
  Layer layer{.in = 8, .out = 8};
  OneDnnLinear linear = layer.make();
  CHECK(std::string(linear.implementation()) != "");
  const std::vector<Isa>& isas = usable_isas();
  if (isas.back() != Isa::kAvx512) {
    WARN("skipped: this CPU has no AVX-512, so that nothing is wider than AVX2");
    return;
  }
  CHECK_THROWS_AS(onednn_cap_isa(Isa::kSse2), Error);
  CHECK_THROWS_AS(OneDnnLinear({.in = 8, .out = 8, .x_stride = 7, .y_stride = 8, .weight = layer.weight.data()}), Error);
}

}  // namespace vit
