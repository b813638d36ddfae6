// SPDX-License-Identifier: Apache-2.0
// What is emulated against the CPU itself, where it has the set: equal bits, so that on other machines the emulation tells what a
// CPU would have done. Sums over the lanes of a vector are compared only where xsimd adds them in the order of version 8.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/policy.h"
#include "runtime/session.h"
#include "tests/catch.h"
#include "tests/emulated/tables.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// Calls use(native, emulated) for each set that this CPU has and that is emulated.
template <class Use>
void for_pairs(Use use) {
  int pairs = 0;
  for (const TestedSet& set : emulated_sets())
    if (const KernelTable* native = native_kernels(set.isa)) {
      INFO("instruction set " << native->isa);
      use(*native, *set.kernels);
      ++pairs;
    }
  if (pairs == 0) WARN("skipped: this CPU has no set that is emulated, or cannot emulate");
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// bfloat16 of all sizes from denormal to 2^60, so that products vanish and sums cancel; no infinity.
std::vector<uint16_t> wide_bf16(Random& random, int64_t n) {
  std::vector<uint16_t> values(static_cast<size_t>(n));
  for (uint16_t& v : values) {
    const int64_t exponent = random.below(3) == 0 ? random.below(188) : 124 + random.below(6);
    v = static_cast<uint16_t>(random.below(2) << 15 | exponent << 7 | random.below(128));
  }
  return values;
}

/// The sums of a product of whatever bytes: [rows, columns].
std::vector<float> product(const KernelTable& kernels, Precision precision, int64_t rows, int64_t columns, int64_t steps) {
  Random random(static_cast<uint64_t>(rows * 1000 + columns));
  const int64_t panels = (columns + kernels.product_columns - 1) / kernels.product_columns,
                padded = panels * kernels.product_columns;
  const int64_t stride = steps * 4 + 64, panel_bytes = padded * steps * 4;
  std::vector<uint8_t> x = random.bytes(rows * stride), w = random.bytes(panel_bytes);
  if (precision == Precision::kBF16) {
    const auto wide_x = wide_bf16(random, rows * stride / 2), wide_w = wide_bf16(random, panel_bytes / 2);
    std::memcpy(x.data(), wide_x.data(), x.size()), std::memcpy(w.data(), wide_w.data(), w.size());
  }
  for (int64_t r = 0; r < rows; ++r) {
    const RowScale scale{.scale = 0.3f, .zero_point = static_cast<float>(r % 9)};
    std::memcpy(x.data() + r * stride + steps * 4, &scale, sizeof scale);
  }
  const auto bias = random.normals(padded), weight_scale = random.normals(padded), column_sum = random.normals(padded, 100);
  std::vector<float> y(static_cast<size_t>(rows * columns));
  Product p;
  p.x = x.data(), p.x_stride = stride, p.panels = w.data(), p.steps = steps;
  p.bias = bias.data(), p.weight_scale = weight_scale.data(), p.column_sum = column_sum.data();
  p.y = y.data(), p.y_stride = columns, p.rows = rows, p.columns = columns;
  (precision == Precision::kInt8 ? kernels.multiply_int8 : kernels.multiply_bf16)(p);
  return y;
}

/// Ends of ranges, ties, denormals, NaN and infinity among normal numbers.
std::vector<float> awkward(Random& random, int64_t n, bool finite) {
  std::vector<float> x = random.normals(n, 3);
  const float special[] = {0.0f,   -0.0f, 1.00390625f, 1.01171875f, 1e-40f, -3e-39f, 88.5f,
                           -88.0f, 5.4f,  -5.4f,       1e4f,        -1e30f, 3.4e38f};
  for (size_t i = 0; i < x.size() && i < std::size(special); ++i) x[i] = special[i];
  if (!finite && n > 20) x[15] = INFINITY, x[17] = -INFINITY, x[19] = NAN;
  return x;
}

bool same_order(const KernelTable& native, const KernelTable& emulated) {
  Random random(1);
  for (int i = 0; i < 20; ++i) {
    const auto a = random.normals(16), b = random.normals(16);
    if (native.dot_row(a.data(), b.data(), 16) != emulated.dot_row(a.data(), b.data(), 16)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("an emulated set has the shape of the set that it stands for", "[kernels]") {
  for (const TestedSet& set : emulated_sets()) {
    const KernelTable &emulated = *set.kernels, &native = kernels(set.isa);  // numbers of the table; nothing of it runs
    CHECK(emulated.isa == std::string("emulated_") + native.isa);
    CHECK(emulated.lanes == native.lanes);
    CHECK(emulated.tile_rows == native.tile_rows);
    CHECK(emulated.panel_columns == native.panel_columns);
    CHECK(emulated.depth_block == native.depth_block);
    CHECK(emulated.product_columns == native.product_columns);
    CHECK(emulated.attention_rows == native.attention_rows);
    CHECK(emulated.levels == native.levels);
    CHECK(emulated.has_amx == native.has_amx);
    CHECK(emulated.has_bf16 == native.has_bf16);
  }
}

TEST_CASE("emulated products have the CPU's bits", "[kernels]") {
  for_pairs([](const KernelTable& native, const KernelTable& emulated) {
    for (const Precision precision : {Precision::kInt8, Precision::kBF16})
      for (const int64_t rows : {1, 5, 17, 40})
        for (const int64_t columns : {1, 33, 100}) {
          CAPTURE(precision_name(precision), rows, columns);
          CHECK(same_bits(product(emulated, precision, rows, columns, 96), product(native, precision, rows, columns, 96)));
        }
  });
}

TEST_CASE("emulated rows have the CPU's bits", "[kernels]") {
  for_pairs([](const KernelTable& native, const KernelTable& emulated) {
    for (const int64_t n : {1, 15, 16, 47, 200}) {
      CAPTURE(n);
      Random random(static_cast<uint64_t>(n));
      const auto x = awkward(random, n, false), finite = awkward(random, n, true);
      const auto floats = [&](auto run) {
        std::vector<float> found[2] = {x, x};
        run(native, found[0].data()), run(emulated, found[1].data());
        for (std::vector<float>& values : found)
          for (float& v : values)
            if (std::isnan(v)) v = NAN;  // which of two NaN passes on is nobody's promise
        return same_bits(found[0], found[1]);
      };
      for (const Activation kind : {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu, Activation::kSilu,
                                    Activation::kRelu, Activation::kTanh})
        CHECK(floats([&](const KernelTable& k, float* y) { k.activation_row(x.data(), kind, n, y); }));
      float sum;
      CHECK(floats([&](const KernelTable& k, float* y) { k.softmax_rows(finite.data(), 0, 1, 0.3f, n, y, 0, &sum); }));
      CHECK(floats([&](const KernelTable& k, float* y) { k.max_row(x.data(), finite.data(), n, y); }));
      CHECK(floats([&](const KernelTable& k, float* y) { k.add_scaled_row(finite.data(), 0.7f, n, y); }));

      const auto bytes = [&](auto run) {
        std::vector<uint8_t> found[2];
        for (std::vector<uint8_t>& y : found) y.resize(static_cast<size_t>(operand_bytes(Precision::kBF16, n) + 64));
        run(native, found[0].data()), run(emulated, found[1].data());
        return same_bits(found[0], found[1]);
      };
      const auto bf16 = [](uint8_t* y) { return reinterpret_cast<uint16_t*>(y); };
      CHECK(bytes([&](const KernelTable& k, uint8_t* y) { k.bf16_row(x.data(), n, bf16(y)); }));
      CHECK(
          bytes([&](const KernelTable& k, uint8_t* y) { k.softmax_bf16_rows(finite.data(), 0, 1, 0.3f, n, bf16(y), 0, &sum); }));
      auto negative = finite;  // the zero point of a row without negative numbers is 0 or -0, as xsimd negates
      negative[0] = -2;
      CHECK(bytes([&](const KernelTable& k, uint8_t* y) { k.quantise_rows(negative.data(), 0, 1, n, y, 0); }));
    }
  });
}

TEST_CASE("a whole pass on an emulated set gives the CPU's logits in each precision", "[engine]") {
  const TinyModel tiny({.embed_dim = 72, .num_heads = 2, .depth = 2, .mlp_dim = 200, .patch = 8, .image = 64, .labels = 40});
  Random random(9);
  const std::vector<uint8_t> picture = random.bytes(64 * 64 * 3);
  const PixelView view{picture.data(), 64, 64, 64 * 3};
  for_pairs([&](const KernelTable& native, const KernelTable& emulated) {
    if (!same_order(native, emulated)) {
      WARN("skipped: xsimd adds the lanes of a vector in another order than version 8");
      return;
    }
    for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) {
      CAPTURE(precision_name(precision));
      const auto logits = [&](const KernelTable& kernels) {
        Session session(tiny.model(), {.threads = 2, .precision = precision, .kernels = &kernels});
        session.run({&view, 1}, Output::kLogits);
        const ResultView result = session.output();
        return std::vector<float>(result.data, result.data + result.shape.elements());
      };
      CHECK(same_bits(logits(emulated), logits(native)));
    }
  });
}

}  // namespace vit
