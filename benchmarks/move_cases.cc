// SPDX-License-Identifier: Apache-2.0
// Kernels that move numbers, and those of the resize, which compute in integers: bytes are their measure, equality their check.
#include "benchmarks/cases.h"

namespace vit::bench {
namespace {

template <class From, class To>
struct Block {
  std::vector<From> from;
  std::vector<To> to;
  std::vector<int32_t> weights;
};

/// `expected(block, i)` is what element i of the result should be.
template <class From, class To>
Case move_case(const std::string& shape, std::shared_ptr<Block<From, To>> block, std::function<void(Block<From, To>&)> call,
               std::function<To(const Block<From, To>&, size_t)> expected) {
  Case out;
  out.shape = shape;
  out.bytes = static_cast<double>(block->from.size() * sizeof(From) + block->to.size() * sizeof(To));
  out.run = [block, call] { call(*block); };
  out.right = [block, expected] {
    for (size_t i = 0; i < block->to.size(); ++i)
      if (block->to[i] != expected(*block, i)) return false;
    return true;
  };
  return out;
}

/// Keys of one head of ViT-B for a panel.
Case transpose_block(const KernelTable& k) {
  constexpr int64_t kDim = 64;
  const int64_t rows = k.panel_columns;
  using Floats = Block<float, float>;
  auto block =
      std::make_shared<Floats>(Floats{numbers(rows * kDim, 1), std::vector<float>(static_cast<size_t>(rows * kDim)), {}});
  return move_case<float, float>(
      std::to_string(rows) + " x " + std::to_string(kDim), block,
      [run = k.transpose_block, rows](Floats& b) { run(b.from.data(), kDim, rows, kDim, b.to.data(), rows); },
      [rows](const Floats& b, size_t i) {
        const auto n = static_cast<size_t>(rows);
        return b.from[i % n * kDim + i / n];
      });
}

Case gather_patch(const KernelTable& k) {
  constexpr int64_t kPatch = 16, kRun = 3 * kPatch, kStride = 3 * 224;
  using Patch = Block<uint8_t, float>;
  auto block = std::make_shared<Patch>(Patch{bytes(kPatch * kStride, 1), std::vector<float>(kPatch * kRun), {}});
  Case out = move_case<uint8_t, float>(
      "16 x 16 of 224", block, [run = k.gather_patch](Patch& b) { run(b.from.data(), kStride, kPatch, kRun, b.to.data()); },
      [](const Patch& b, size_t i) { return static_cast<float>(b.from[i / kRun * kStride + i % kRun]); });
  out.bytes = kPatch * kRun * (1.0 + sizeof(float));
  return out;
}

using Bytes = Block<uint8_t, uint8_t>;

/// A bicubic shrink by two: 8 taps over rows of 224 pixels.
Case resize_rows(const KernelTable& k) {
  constexpr int64_t kTaps = 8, kWidth = 3 * 224;
  auto block = std::make_shared<Bytes>(Bytes{bytes(kTaps * kWidth, 1), std::vector<uint8_t>(kWidth), {}});
  block->weights.assign(kTaps, (1 << 22) / kTaps);
  return move_case<uint8_t, uint8_t>(
      "8 taps, 672 bytes", block,
      [run = k.resize_rows](Bytes& b) { run(b.from.data(), kWidth, b.weights.data(), kTaps, kWidth, b.to.data()); },
      [](const Bytes& b, size_t i) {
        int64_t sum = 1 << 21;
        for (size_t t = 0; t < kTaps; ++t) sum += int64_t{b.from[t * kWidth + i]} * b.weights[t];
        return static_cast<uint8_t>(std::clamp<int64_t>(sum >> 22, 0, 255));
      });
}

constexpr int64_t kRows = 16, kRowBytes = 3 * 224;

Case resize_transpose_in(const KernelTable& k) {
  auto block = std::make_shared<Bytes>(Bytes{bytes(kRows * kRowBytes, 1), std::vector<uint8_t>(kRows * kRowBytes), {}});
  return move_case<uint8_t, uint8_t>(
      "16 rows, 672 bytes", block,
      [run = k.resize_transpose_in](Bytes& b) { run(b.from.data(), kRowBytes, kRows, kRowBytes, b.to.data()); },
      [](const Bytes& b, size_t i) { return b.from[i % kRows * kRowBytes + i / kRows]; });
}

Case resize_transpose_out(const KernelTable& k) {
  auto block = std::make_shared<Bytes>(Bytes{bytes(kRows * kRowBytes, 1), std::vector<uint8_t>(kRows * kRowBytes), {}});
  return move_case<uint8_t, uint8_t>(
      "16 rows, 672 bytes", block,
      [run = k.resize_transpose_out](Bytes& b) { run(b.from.data(), kRows, kRowBytes, b.to.data(), kRowBytes); },
      [](const Bytes& b, size_t i) { return b.from[i % kRowBytes * kRows + i / kRowBytes]; });
}

}  // namespace

std::vector<NamedCase> move_cases() {
  return {{"transpose_block", transpose_block},
          {"gather_patch", gather_patch},
          {"resize_rows", resize_rows},
          {"resize_transpose_in", resize_transpose_in},
          {"resize_transpose_out", resize_transpose_out}};
}

}  // namespace vit::bench
