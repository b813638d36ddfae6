// SPDX-License-Identifier: Apache-2.0
// Products of narrow operands.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/pack.h"
#include "tests/emulated/tables.h"
#include "tests/kernels/checks.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// Rows of operands and packed weights with the numbers that they stand for.
struct Operands {
  Precision precision;
  int64_t rows, in, out;
  int64_t x_stride;
  std::vector<uint8_t> x;
  PackedLinear w;
  std::vector<float> bias, gamma;

  Operands(const KernelTable& kernels, Precision kind, int64_t x_rows, int64_t depth, int64_t columns, uint64_t seed)
      : precision(kind), rows(x_rows), in(depth), out(columns), x_stride(operand_bytes(kind, depth) + 64) {
    Random random(seed);
    const std::vector<float> weights = random.normals(in * out);
    bias = random.normals(out), gamma = random.normals(round_up(out, kernels.product_columns));
    w = pack_linear(
        precision, in, out, kernels.product_columns,
        [&](int64_t first, int64_t count, float* to) { std::copy_n(weights.begin() + first * in, count * in, to); },
        [&](float* to) { std::copy(bias.begin(), bias.end(), to); });
    x.resize(static_cast<size_t>(rows * x_stride));
    for (int64_t r = 0; r < rows; ++r) {
      const std::vector<float> row = random.normals(in);
      uint8_t* to = x.data() + r * x_stride;
      if (precision == Precision::kInt8)
        kernels.quantise_rows(row.data(), 0, 1, in, to, 0);
      else
        kernels.bf16_row(row.data(), in, reinterpret_cast<uint16_t*>(to));
    }
  }

  double x_at(int64_t r, int64_t k) const {
    const uint8_t* row = x.data() + r * x_stride;
    if (precision == Precision::kInt8) {
      RowScale scale;
      std::memcpy(&scale, row + operand_bytes(precision, in), sizeof scale);
      return double{scale.scale} * (row[k] - double{scale.zero_point});
    }
    uint16_t value;
    std::memcpy(&value, row + 2 * k, sizeof value);
    return from_bf16(value);
  }
  double w_at(int64_t o, int64_t k) const {
    const uint8_t* panel = w.panel_bytes_at(o / w.panel) + o % w.panel * 4;
    if (precision == Precision::kInt8) return double{w.scale[o]} * static_cast<int8_t>(panel[k / 4 * w.panel * 4 + k % 4]);
    uint16_t value;
    std::memcpy(&value, panel + k / 2 * w.panel * 4 + k % 2 * 2, sizeof value);
    return from_bf16(value);
  }

  Product product() const {
    Product p;
    p.x = x.data(), p.x_stride = x_stride;
    p.panels = w.weight.data(), p.bias = w.bias.data(), p.weight_scale = w.scale.data(), p.column_sum = w.column_sum.data();
    p.gamma = gamma.data();
    p.steps = w.steps();
    p.rows = rows, p.columns = out;
    return p;
  }
};

void multiply(const KernelTable& kernels, Precision precision, const Product& p) {
  (precision == Precision::kInt8 ? kernels.multiply_int8 : kernels.multiply_bf16)(p);
}

double exact_gelu(double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); }

void check_product(const KernelTable& kernels, Precision precision, int64_t rows, int64_t in, int64_t out, ProductStore store,
                   Activation activation = Activation::kNone) {
  CAPTURE(rows, in, out, static_cast<int>(store), static_cast<int>(activation));
  const Operands o(kernels, precision, rows, in, out, static_cast<uint64_t>(rows * 7 + in + out));
  Random random(4);
  const int64_t y_stride = out + 5;
  const std::vector<float> before = random.normals((rows - 1) * y_stride + out);
  Guarded<float> y(before, 1);
  Guarded<uint16_t> narrow(static_cast<int64_t>(before.size()), 1);
  Product p = o.product();
  p.y = store == ProductStore::kBF16 ? static_cast<void*>(narrow.data()) : y.data();
  p.y_stride = y_stride, p.store = store, p.activation = activation;
  multiply(kernels, precision, p);

  CHECK(y.guards_intact());
  CHECK(narrow.guards_intact());
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t r = i / y_stride, c = i % y_stride;
    const double old = before[static_cast<size_t>(i)];
    if (c >= out) {
      if (store != ProductStore::kBF16) CHECK(y[i] == before[static_cast<size_t>(i)]);  // between the rows nothing is written
      continue;
    }
    double sum = o.bias[static_cast<size_t>(c)], size = std::fabs(sum);
    for (int64_t k = 0; k < in; ++k) {
      const double x = o.x_at(r, k), term = x * o.w_at(c, k);
      sum += term;
      size += std::fabs(term);
    }
    // 8 bits: the sum is exact; its conversion, the zero point's part of it (of the size of the row's range times the column) and
    // the scales are rounded, a few half-units of the terms' sizes, offset included. bfloat16: as in matmul_test.cc.
    const double range = precision == Precision::kInt8 ? 12.0 * std::sqrt(static_cast<double>(in)) * 8 : 0;
    double bound = kEpsilon * (precision == Precision::kInt8 ? 8 * (size + range) : static_cast<double>(2 * in + 4) * size);
    const double factor = store == ProductStore::kScaleAdd ? o.gamma[static_cast<size_t>(c)] : 1;
    double expected = sum;
    if (activation == Activation::kGelu) expected = exact_gelu(sum), bound = 1.13 * bound + 9e-5;  // its slope is below 1.13
    if (store == ProductStore::kAdd || store == ProductStore::kScaleAdd)
      expected = old + factor * sum, bound = std::fabs(factor) * bound + 2 * kEpsilon * (std::fabs(old) + std::fabs(expected));
    const bool bf16 = store == ProductStore::kBF16;
    if (bf16) bound += std::fabs(expected) * 0x1p-8;
    CHECK_NEAR(bf16 ? from_bf16(narrow[i]) : y[i], expected, bound);
  }
}

void check_products(const KernelTable& kernels, Precision precision) {
  const int64_t panel = kernels.product_columns, lanes = kernels.lanes;
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 13, 16, 17, 31, 33, 65})
    for (const int64_t out : {int64_t{1}, lanes - 1, lanes, lanes + 1, 2 * lanes, panel - 1, panel, panel + 1, 2 * panel + 3})
      check_product(kernels, precision, rows, 37, out, ProductStore::kWrite);
  for (const ProductStore store : {ProductStore::kWrite, ProductStore::kBF16, ProductStore::kAdd, ProductStore::kScaleAdd})
    for (const int64_t in : {1, 64, 130, 768}) check_product(kernels, precision, 35, in, panel + 7, store);
  for (const ProductStore store : {ProductStore::kWrite, ProductStore::kBF16})
    check_product(kernels, precision, 9, 100, panel, store, Activation::kGelu);
}

void check_exact_sums(const KernelTable& k, int64_t depth, int64_t rows) {
  CAPTURE(k.isa, depth, rows);
  const int64_t out = k.product_columns, stride = depth + 64;
  const auto most = static_cast<uint8_t>(k.levels);
  // Rows: all at the greatest activation, all at 0, numbers, pairs and steps of both in turn, random.
  Random random(1);
  std::vector<uint8_t> x(static_cast<size_t>(rows * stride));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < depth; ++i) {
      const bool high = r == 0 || (r == 2 && i % 2 == 1) || (r == 3 && i % 4 < 2) || (r == 4 && i % 8 < 4);
      x[static_cast<size_t>(r * stride + i)] = r > 4 ? static_cast<uint8_t>(random.below(most + 1)) : high ? most : 0;
    }
    const RowScale exact;
    std::memcpy(&x[static_cast<size_t>(r * stride + depth)], &exact, sizeof exact);
  }
  // Columns: positive, negative, both in turn. By groups of 16, the greatest weights, random ones, and such that the eight which
  // share a 16-bit lane of x86 add up to 511 or 512, where four steps' products just fit, or do not (wrapped-inl.h).
  std::vector<int8_t> w(static_cast<size_t>(depth * out));  // [steps][out][4]
  const auto weight = [&](int64_t i, int64_t c) -> int8_t& { return w[static_cast<size_t>(i / 4 * out * 4 + c * 4 + i % 4)]; };
  for (int64_t i = 0; i < depth; ++i)
    for (int64_t c = 0; c < out; ++c) {
      const int64_t size[] = {127, random.below(128), i % 16 == 0 || i % 16 == 2 ? 63 : 64, 64, random.below(51)};
      const bool negative = c % 3 == 1 || (c % 3 == 2 && i % 2 == 1);
      weight(i, c) = static_cast<int8_t>(negative ? -size[i / 16 % 5] : size[i / 16 % 5]);
    }
  const std::vector<float> ones(static_cast<size_t>(out), 1.0f), zeros(static_cast<size_t>(out));
  std::vector<float> y(static_cast<size_t>(rows * out));
  Product p;
  p.x = x.data(), p.x_stride = stride, p.panels = w.data(), p.steps = depth / 4;
  p.bias = zeros.data(), p.weight_scale = ones.data(), p.column_sum = zeros.data();
  p.y = y.data(), p.y_stride = out, p.rows = rows, p.columns = out;
  k.multiply_int8(p);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < out; ++c) {
      int32_t sum = 0;
      for (int64_t i = 0; i < depth; ++i) sum += x[static_cast<size_t>(r * stride + i)] * weight(i, c);
      CHECK(y[static_cast<size_t>(r * out + c)] == static_cast<float>(sum));
    }
}

}  // namespace

void check_multiply_int8(const KernelTable& kernels) { check_products(kernels, Precision::kInt8); }
void check_multiply_bf16(const KernelTable& kernels) { check_products(kernels, Precision::kBF16); }

TEST_CASE("sums of 8-bit products are exact where they are largest, on every instruction set", "[kernels]") {
  for (const TestedSet& set : tested_sets()) {
    check_exact_sums(*set.kernels, 4096, 7);
    check_exact_sums(*set.kernels, 4096 + 1024, 29);
    check_exact_sums(*set.kernels, 320, 29);
  }
}

TEST_CASE("a row of a narrow product has the same bits whatever rows and columns stand beside it", "[kernels]") {
  for (const TestedSet& set : tested_sets())
    for (const Precision precision : {Precision::kInt8, Precision::kBF16}) {
      const KernelTable& k = *set.kernels;
      CAPTURE(k.isa, precision_name(precision));
      const int64_t rows = 67, out = k.product_columns + 9;
      const Operands o(k, precision, rows, 300, out, 2);
      std::vector<float> all(static_cast<size_t>(rows * out)), some(all.size());
      Product p = o.product();
      p.y = all.data(), p.y_stride = out;
      multiply(k, precision, p);
      for (const auto& [first, count] :
           {std::pair{0, 1}, std::pair{66, 1}, std::pair{5, 20}, std::pair{20, 40}, std::pair{1, 66}}) {
        Product part = p;
        part.x = o.x.data() + first * o.x_stride, part.rows = count, part.y = some.data(), part.columns = out - 3;
        multiply(k, precision, part);
        for (int64_t r = 0; r < count; ++r)
          CHECK(std::memcmp(some.data() + r * out, all.data() + (first + r) * out,
                            static_cast<size_t>(out - 3) * sizeof(float)) == 0);
      }
    }
}

}  // namespace vit
