// SPDX-License-Identifier: Apache-2.0
// Kernels on 8-bit and bfloat16 operands.
#include <cstring>

#include "benchmarks/cases.h"
#include "quant/pack.h"

namespace vit::bench {
namespace {

constexpr int64_t kDepth = 384, kChannels = 768, kTokens = 197;

/// Rows of operands against one panel, and the numbers that both stand for.
struct Narrow {
  Precision precision;
  int64_t rows, columns, x_stride;
  std::vector<uint8_t> x;
  PackedLinear weights;
  std::vector<float> y;
  Product product;

  double x_at(int64_t row, int64_t k) const {
    const uint8_t* const at = x.data() + row * x_stride;
    if (precision == Precision::kBF16) return bf16(at + 2 * k);
    RowScale scale;
    std::memcpy(&scale, at + operand_bytes(precision, kDepth), sizeof scale);
    return double{scale.scale} * (at[k] - double{scale.zero_point});
  }
  double weight_at(int64_t column, int64_t k) const {
    const int64_t numbers_a_step = precision == Precision::kBF16 ? 2 : 4;
    const uint8_t* const step = weights.panel_bytes_at(0) + (k / numbers_a_step * weights.panel + column) * 4;
    if (precision == Precision::kBF16) return bf16(step + k % 2 * 2);
    return double{weights.scale[column]} * static_cast<int8_t>(step[k % 4]);
  }
  static double bf16(const uint8_t* at) {
    uint16_t value;
    std::memcpy(&value, at, sizeof value);
    return from_bf16(value);
  }
};

Case product_case(const KernelTable& kernels, Precision precision, int64_t rows) {
  const int64_t columns = kernels.product_columns;
  auto n = std::make_shared<Narrow>();
  n->precision = precision, n->rows = rows, n->columns = columns;
  const std::vector<float> x = numbers(rows * kDepth, 1), w = numbers(columns * kDepth, 2);
  n->x_stride = operand_bytes(precision, kDepth) + 64;
  n->x.resize(static_cast<size_t>(rows * n->x_stride));
  for (int64_t r = 0; r < rows; ++r) {
    uint8_t* const to = n->x.data() + r * n->x_stride;
    if (precision == Precision::kInt8)
      kernels.quantise_rows(x.data() + r * kDepth, 0, 1, kDepth, to, 0);
    else
      kernels.bf16_row(x.data() + r * kDepth, kDepth, reinterpret_cast<uint16_t*>(to));
  }
  n->weights = pack_linear(
      precision, kDepth, columns, columns,
      [&](int64_t first, int64_t count, float* to) { std::copy_n(w.data() + first * kDepth, count * kDepth, to); }, {});
  n->y.resize(static_cast<size_t>(rows * columns));
  n->product = {.x = n->x.data(),
                .x_stride = n->x_stride,
                .panels = n->weights.weight.data(),
                .bias = n->weights.bias.data(),
                .weight_scale = n->weights.scale.data(),
                .column_sum = n->weights.column_sum.data(),
                .y = n->y.data(),
                .y_stride = columns,
                .steps = n->weights.steps(),
                .rows = rows,
                .columns = columns};
  Case out;
  out.shape = std::to_string(rows) + " x " + std::to_string(kDepth) + " x " + std::to_string(columns);
  out.operations = 2.0 * static_cast<double>(rows * kDepth * columns);
  out.bytes = static_cast<double>(rows * operand_bytes(precision, kDepth) + n->weights.bytes()) +
              static_cast<double>(n->y.size() * sizeof(float));
  out.run = [n, run = precision == Precision::kInt8 ? kernels.multiply_int8 : kernels.multiply_bf16] { run(n->product); };
  out.right = [n] {
    for (int64_t r = 0; r < n->rows; ++r)
      for (int64_t c = 0; c < n->columns; ++c) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < kDepth; ++k) {
          const double term = n->x_at(r, k) * n->weight_at(c, k);
          sum += term, size += std::fabs(term);
        }
        if (!near(n->y[static_cast<size_t>(r * n->columns + c)], sum, size)) return false;
      }
    return true;
  };
  return out;
}

constexpr int64_t kRows = 96, kFewRows = 12;
Case multiply_int8(const KernelTable& k) { return product_case(k, Precision::kInt8, kRows); }
Case multiply_bf16(const KernelTable& k) { return product_case(k, Precision::kBF16, kRows); }

/// From a row of floats to a row of T.
template <class T>
struct Narrowed {
  std::vector<float> x;
  std::vector<T> y;
};

Case quantise_rows(const KernelTable& k) {
  const int64_t bytes = operand_bytes(Precision::kInt8, kChannels), stride = bytes + static_cast<int64_t>(sizeof(RowScale));
  auto rows = std::make_shared<Narrowed<uint8_t>>();
  rows->x = numbers(kFewRows * kChannels, 1), rows->y.resize(static_cast<size_t>(kFewRows * stride));
  Case out;
  out.shape = std::to_string(kFewRows) + " x " + std::to_string(kChannels);
  out.bytes = kFewRows * kChannels * 5.0;
  out.run = [rows, stride, run = k.quantise_rows] {
    run(rows->x.data(), kChannels, kFewRows, kChannels, rows->y.data(), stride);
  };
  out.right = [rows, bytes, stride] {
    for (int64_t r = 0; r < kFewRows; ++r) {
      const uint8_t* y = rows->y.data() + r * stride;
      RowScale scale;
      std::memcpy(&scale, y + bytes, sizeof scale);
      if (scale.scale >= 2.1f / 127) return false;
      for (int64_t i = 0; i < kChannels; ++i)  // half a step, at the ends of the range one
        if (std::fabs(scale.scale * (y[i] - scale.zero_point) - rows->x[static_cast<size_t>(r * kChannels + i)]) >
            1.001f * scale.scale)
          return false;
    }
    return true;
  };
  return out;
}

/// What quantise_rows makes of layer_norm_rows, which are checked by themselves.
Case layer_norm_int8_rows(const KernelTable& k) {
  const int64_t stride = operand_bytes(Precision::kInt8, kChannels) + static_cast<int64_t>(sizeof(RowScale));
  struct Rows {
    std::vector<float> x, gamma, beta, norm;
    std::vector<uint8_t> y;
  };
  auto rows = std::make_shared<Rows>(Rows{numbers(kFewRows * kChannels, 1), numbers(kChannels, 2), numbers(kChannels, 3),
                                          std::vector<float>(kFewRows * kChannels),
                                          std::vector<uint8_t>(static_cast<size_t>(kFewRows * stride))});
  Case out;
  out.shape = std::to_string(kFewRows) + " x " + std::to_string(kChannels);
  out.bytes = kFewRows * kChannels * 5.0;
  out.run = [rows, stride, run = k.layer_norm_int8_rows] {
    run(rows->x.data(), kChannels, kFewRows, rows->gamma.data(), rows->beta.data(), 1e-6f, kChannels, rows->norm.data(),
        kChannels, rows->y.data(), stride);
  };
  out.right = [rows, stride, &k] {
    std::vector<uint8_t> expected(rows->y.size());
    k.layer_norm_rows(rows->x.data(), kChannels, kFewRows, rows->gamma.data(), rows->beta.data(), 1e-6f, kChannels,
                      rows->norm.data(), kChannels);
    k.quantise_rows(rows->norm.data(), kChannels, kFewRows, kChannels, expected.data(), stride);
    return expected == rows->y;
  };
  return out;
}

std::shared_ptr<Narrowed<uint16_t>> bf16_row_of(int64_t channels) {
  auto row = std::make_shared<Narrowed<uint16_t>>();
  row->x = numbers(channels, 1), row->y.resize(static_cast<size_t>(operand_bytes(Precision::kBF16, channels)) / 2);
  return row;
}

Case bf16_row(const KernelTable& k) {
  auto row = bf16_row_of(kChannels);
  Case out;
  out.shape = std::to_string(kChannels);
  out.bytes = kChannels * 6.0;
  out.run = [row, run = k.bf16_row] { run(row->x.data(), kChannels, row->y.data()); };
  out.right = [row] {
    for (size_t i = 0; i < row->x.size(); ++i)
      if (row->y[i] != to_bf16(row->x[i])) return false;
    return true;
  };
  return out;
}

Case softmax_bf16_rows(const KernelTable& k) {
  const int64_t stride = operand_bytes(Precision::kBF16, kTokens) / 2;
  auto rows = std::make_shared<Narrowed<uint16_t>>();
  rows->x = numbers(kFewRows * kTokens, 1), rows->y.resize(static_cast<size_t>(kFewRows * stride));
  Case out;
  out.shape = std::to_string(kFewRows) + " x " + std::to_string(kTokens);
  out.operations = 4.0 * kFewRows * kTokens, out.bytes = 6.0 * kFewRows * kTokens;
  out.run = [rows, stride, run = k.softmax_bf16_rows] {
    float sums[kFewRows];
    run(rows->x.data(), kTokens, kFewRows, 0.125f, kTokens, rows->y.data(), stride, sums);
  };
  out.right = [rows, stride] {
    for (int64_t r = 0; r < kFewRows; ++r) {
      const float* x = rows->x.data() + r * kTokens;
      const float top = *std::max_element(x, x + kTokens);
      for (int64_t i = 0; i < kTokens; ++i) {
        const double e = std::exp(0.125 * (x[i] - top));
        if (std::fabs(from_bf16(rows->y[static_cast<size_t>(r * stride + i)]) - e) > e / 200) return false;  // 8 bits: 1/256
      }
    }
    return true;
  };
  return out;
}

Case interleave_rows(const KernelTable& k) {
  struct Rows {
    std::vector<uint16_t> even, odd, y;
  };
  auto rows = std::make_shared<Rows>();
  for (const uint8_t v : bytes(kChannels, 1)) rows->even.push_back(v), rows->odd.push_back(static_cast<uint16_t>(v * 257));
  rows->y.resize(2 * kChannels);
  Case out;
  out.shape = std::to_string(kChannels);
  out.bytes = 8.0 * kChannels;
  out.run = [rows, run = k.interleave_rows] { run(rows->even.data(), rows->odd.data(), kChannels, rows->y.data()); };
  out.right = [rows] {
    for (size_t i = 0; i < rows->even.size(); ++i)
      if (rows->y[2 * i] != rows->even[i] || rows->y[2 * i + 1] != rows->odd[i]) return false;
    return true;
  };
  return out;
}

}  // namespace

std::vector<NamedCase> narrow_cases() {
  return {{"multiply_int8", multiply_int8},
          {"multiply_bf16", multiply_bf16},
          {"quantise_rows", quantise_rows},
          {"layer_norm_int8_rows", layer_norm_int8_rows},
          {"bf16_row", bf16_row},
          {"softmax_bf16_rows", softmax_bf16_rows},
          {"interleave_rows", interleave_rows}};
}

}  // namespace vit::bench
