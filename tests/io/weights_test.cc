// SPDX-License-Identifier: Apache-2.0
// Tensors by name and shape, their conversion to float32, and the accounting of what was asked for.
#include "runtime/weights.h"
#include "quant/precision.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "ops/core/error.h"
#include "quant/precision.h"
#include "tests/catch.h"

namespace vit {
namespace {

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kModel);
    return error.what();
  }
  return "accepted";
}

/// A half from its definition: 1 sign, 5 exponent, 10 mantissa bits (IEEE 754 binary16).
float half_by_definition(uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const float sign = half & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
}

bool same(float a, float b) { return std::isnan(b) ? std::isnan(a) : std::memcmp(&a, &b, sizeof a) == 0; }

/// Elements as they lie in a file, one byte off every alignment.
template <class T>
std::vector<uint8_t> misaligned(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(1 + values.size() * sizeof(T));
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
  return bytes;
}

template <class T>
std::vector<float> converted(const std::vector<T>& values, DType type, int64_t first) {
  const std::vector<uint8_t> bytes = misaligned(values);
  const int64_t count = static_cast<int64_t>(values.size()) - first;
  const Tensor tensor{"t", type, dtype_name(type), Shape{static_cast<int64_t>(values.size())}, Bytes(bytes).subspan(1), "f"};
  std::vector<float> out(static_cast<size_t>(count) + 1, -7.0f);
  tensor.to_float(first, count, out.data());
  CHECK(out.back() == -7.0f);
  out.pop_back();
  return out;
}

TEST_CASE("float32 becomes the nearest half, ties to even", "[io]") {
  size_t wrong = 0;
  for (uint32_t half = 0; half < 0x7c00; ++half) {  // finite ones, and the middle between each and the next
    const auto bits = static_cast<uint16_t>(half), even = static_cast<uint16_t>(half % 2 == 0 ? half : half + 1);
    const float value = half_by_definition(bits);
    wrong += to_half(value) != bits;
    wrong += to_half(-value) != (bits | 0x8000);
    const float next = half == 0x7bff ? 65536 : half_by_definition(static_cast<uint16_t>(half + 1)), middle = (value + next) / 2;
    wrong += to_half(middle) != even;
    wrong += to_half(std::nextafter(middle, 0.0f)) != bits;
    wrong += to_half(std::nextafter(middle, 1e9f)) != bits + 1;
  }
  CHECK(wrong == 0);
  CHECK(to_half(1e30f) == 0x7c00);
  CHECK(to_half(-INFINITY) == 0xfc00);
  CHECK((to_half(NAN) & 0x7fff) > 0x7c00);
}

TEST_CASE("every half becomes the float32 of its definition", "[io]") {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  const std::vector<float> floats = converted(halves, DType::kF16, 0);
  int wrong = 0;
  for (size_t i = 0; i < halves.size(); ++i) wrong += !same(floats[i], half_by_definition(halves[i]));
  CHECK(wrong == 0);
}

TEST_CASE("every bfloat16 becomes the float32 with its upper bits", "[io]") {
  std::vector<uint16_t> values(65536);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i);
  const std::vector<float> floats = converted(values, DType::kBF16, 0);
  int wrong = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &floats[i], 4);
    wrong += bits != uint32_t{values[i]} << 16;
  }
  CHECK(wrong == 0);
}

TEST_CASE("any part of a tensor is converted, from unaligned bytes", "[io]") {
  const int64_t first = GENERATE(0, 1, 3, 16, 37);
  CAPTURE(first);
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<uint16_t> halves;
  for (int i = 0; i < 37; ++i) {
    floats.push_back(0.1f * static_cast<float>(i));
    doubles.push_back(0.1 * i);
    halves.push_back(static_cast<uint16_t>(i * 1777));
  }
  const std::vector<float> from_floats = converted(floats, DType::kF32, first);
  const std::vector<float> from_doubles = converted(doubles, DType::kF64, first);
  const std::vector<float> from_halves = converted(halves, DType::kF16, first);
  for (size_t i = 0; i < from_floats.size(); ++i) {
    const size_t at = i + static_cast<size_t>(first);
    CHECK(from_floats[i] == floats[at]);
    CHECK(from_doubles[i] == static_cast<float>(doubles[at]));
    CHECK(same(from_halves[i], half_by_definition(halves[at])));
  }
}

WeightStore store_of(const std::vector<Tensor>& tensors) {
  WeightStore store;
  for (const Tensor& tensor : tensors) store.add(tensor);
  return store;
}

TEST_CASE("a tensor is taken by name and shape, or refused with both", "[io]") {
  const WeightStore store = store_of({{"blocks.3.attn.qkv.weight", DType::kF32, "F32", {2304, 1024}, {}, "f"},
                                      {"blocks.3.index", DType::kOther, "I64", {4}, {}, "f"},
                                      {"blocks.3.norm.weight", DType::kBF16, "BF16", {768}, {}, "f"}});
  const Weights weights(store);
  const Weights block = weights.at("blocks.").at("3.");
  CHECK(block.take("norm.weight", {768}).dtype == DType::kBF16);
  CHECK(block.has("index"));
  CHECK_FALSE(block.has("blocks.3.index"));
  CHECK(block.look("attn.qkv.weight").shape == Shape{2304, 1024});
  CHECK(refusal([&] {
          block.take("attn.qkv.weight", {2304, 768});
        }) == "blocks.3.attn.qkv.weight: expected [2304, 768], the file has [2304, 1024]");
  CHECK(refusal([&] { block.take("attn.qkv.bias", {2304}); }) ==
        "blocks.3.attn.qkv.bias: expected [2304], the file has no such tensor");
  CHECK(refusal([&] { block.take("index", {4}); }) == "blocks.3.index: expected a floating-point type, the file has I64");
  CHECK(refusal([&] { block.look("bias"); }) == "blocks.3.bias: expected a tensor of this name, the file has none");
}

TEST_CASE("what nobody asked for is named, and the rest counted", "[io]") {
  const WeightStore store = store_of({{"a", DType::kF32, "F32", {1}, {}, "f"},
                                      {"b\x1b", DType::kF32, "F32", {2, 3}, {}, "f"},
                                      {"c", DType::kF32, "F32", {}, {}, "f"},
                                      {"p.d", DType::kF32, "F32", {}, {}, "f"}});
  const Weights weights(store);
  weights.take("a", {1});
  weights.look("c");  // a look is no use of it
  CHECK(refusal([&] { weights.require_all_used(); }) ==
        "b\\x1b: expected no such tensor, the file has [2, 3] (and 2 more that this model does not use)");
  weights.at("p.").take("d", {});
  weights.at("p.").ignore("b\x1b");
  weights.ignore("absent");
  CHECK(refusal([&] { weights.require_all_used(); }) == "c: expected no such tensor, the file has []");
  weights.ignore("c");
  CHECK_NOTHROW(weights.require_all_used());
}

TEST_CASE("a tensor stands in one file only", "[io]") {
  WeightStore store = store_of({{"a", DType::kF32, "F32", {}, {}, "one"}});
  CHECK(refusal([&] {
          store.add({"a", DType::kF32, "F32", {}, {}, "two"});
        }) == "a: expected this tensor once, found it in one and in two");
}

}  // namespace
}  // namespace vit
