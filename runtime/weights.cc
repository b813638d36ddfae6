// SPDX-License-Identifier: Apache-2.0
#include "runtime/weights.h"

#include <bit>
#include <cassert>
#include <cstring>
#include <set>
#include <utility>

#include "ops/core/error.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

template <class T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// All bits of the result are set when `condition` holds: a selection that the compiler cannot turn into a branch.
constexpr uint32_t mask(bool condition) { return 0u - static_cast<uint32_t>(condition); }

/// Exact for every half, in integers that any vector unit has: this runs before a kernel table is chosen. The one float product
/// is of a subnormal's mantissa (an integer below 1024) and 2^-24, and never makes a float32 subnormal.
uint32_t half_to_float_bits(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, magnitude = half & 0x7fffu;
  constexpr uint32_t kRebias = (127u - 15u) << 23, kFirstNormal = 0x400, kInfinity = 0x7c00;
  const uint32_t normal = (magnitude << 13) + kRebias + (kRebias & mask(magnitude >= kInfinity));
  const uint32_t small = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t is_small = mask(magnitude < kFirstNormal);
  return sign | (small & is_small) | (normal & ~is_small);
}

void half_to_float(const uint8_t* from, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = std::bit_cast<float>(half_to_float_bits(load<uint16_t>(from + 2 * i)));
  }
}

void bfloat_to_float(const uint8_t* from, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = std::bit_cast<float>(uint32_t{load<uint16_t>(from + 2 * i)} << 16);
  }
}

void double_to_float(const uint8_t* from, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(load<double>(from + 8 * i));
}

}  // namespace

const char* dtype_name(DType type) {
  switch (type) {
    case DType::kF32: return "F32";
    case DType::kF16: return "F16";
    case DType::kBF16: return "BF16";
    case DType::kF64: return "F64";
    case DType::kOther: break;
  }
  return "other";
}

void Tensor::to_float(int64_t first, int64_t count, float* out) const {
  assert(first >= 0 && count >= 0);
  if (reader) return reader->to_float(reader_first + first, count, out);
  const size_t element_bytes = dtype == DType::kF64 ? 8 : dtype == DType::kF32 ? 4 : 2;
  assert(static_cast<size_t>(first + count) <= bytes.size() / element_bytes);
  if (count == 0) return;
  const uint8_t* from = bytes.data() + static_cast<size_t>(first) * element_bytes;
  switch (dtype) {
    case DType::kF32: std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float)); return;
    case DType::kF16: return half_to_float(from, count, out);
    case DType::kBF16: return bfloat_to_float(from, count, out);
    case DType::kF64: return double_to_float(from, count, out);
    case DType::kOther: break;
  }
  throw Error(Code::kInternal, str(printable(name), ": asked for as float32, the file has ", dtype_code));
}

Tensor Tensor::rows(int64_t first, int64_t count) const {
  assert(shape.rank() >= 1 && first >= 0 && count >= 0 && first + count <= shape[0]);
  Tensor part = *this;
  std::vector<int64_t> dims = shape.dims();
  dims[0] = count;
  part.shape = Shape(std::move(dims));
  const size_t row_bytes = shape[0] == 0 ? 0 : bytes.size() / static_cast<size_t>(shape[0]);
  if (reader) {
    part.reader_first += shape[0] == 0 ? 0 : shape.elements() / shape[0] * first;
    return part;
  }
  part.bytes = bytes.subspan(static_cast<size_t>(first) * row_bytes, static_cast<size_t>(count) * row_bytes);
  return part;
}

Tensor constant_tensor(std::string name, const Shape& shape, std::vector<float> values) {
  assert(shape.elements() == static_cast<int64_t>(values.size()));
  Tensor tensor;
  tensor.name = std::move(name);
  tensor.dtype_code = "F32";
  tensor.shape = shape;
  tensor.own = std::make_shared<const std::vector<float>>(std::move(values));
  tensor.bytes = {reinterpret_cast<const uint8_t*>(tensor.own->data()), tensor.own->size() * sizeof(float)};
  return tensor;
}

void WeightStore::add(Tensor tensor) {
  std::string name = tensor.name;
  const auto [at, added] = tensors_.try_emplace(std::move(name), std::move(tensor));
  VIT_CHECK(added, Code::kModel, printable(at->first), ": expected this tensor once, found it in ", printable(at->second.file),
            " and in ", printable(tensor.file));
}

struct Weights::Accounting {
  const WeightStore& store;
  std::set<const Tensor*> used;

  const Tensor* find(const std::string& name) const {
    const auto found = store.tensors().find(name);
    return found == store.tensors().end() ? nullptr : &found->second;
  }
};

Weights::Weights(const WeightStore& store) : accounting_(new Accounting{store, {}}) {}

Weights Weights::at(const std::string& prefix) const {
  Weights below = *this;
  below.prefix_ += prefix;
  return below;
}

bool Weights::has(const std::string& name) const { return accounting_->find(prefix_ + name) != nullptr; }

Tensor Weights::take(const std::string& name, const Shape& shape) const {
  const std::string full = prefix_ + name;
  if (TensorMaker* const maker = accounting_->store.maker()) return maker->make(full, shape);
  const Tensor* tensor = accounting_->find(full);
  VIT_CHECK(tensor != nullptr, Code::kModel, full, ": expected ", shape, ", the file has no such tensor");
  VIT_CHECK(tensor->shape == shape, Code::kModel, full, ": expected ", shape, ", the file has ", tensor->shape);
  VIT_CHECK(tensor->dtype != DType::kOther, Code::kModel, full, ": expected a floating-point type, the file has ",
            tensor->dtype_code);
  accounting_->used.insert(tensor);
  return *tensor;
}

const Tensor& Weights::look(const std::string& name) const {
  const Tensor* tensor = accounting_->find(prefix_ + name);
  VIT_CHECK(tensor != nullptr, Code::kModel, prefix_, name, ": expected a tensor of this name, the file has none");
  return *tensor;
}

void Weights::ignore(const std::string& name) const {
  if (const Tensor* tensor = accounting_->find(name)) accounting_->used.insert(tensor);
}

void Weights::ignore_all(const std::string& beginning) const {
  const auto& tensors = accounting_->store.tensors();
  for (auto it = tensors.lower_bound(beginning); it != tensors.end() && it->first.starts_with(beginning); ++it)
    accounting_->used.insert(&it->second);
}

void Weights::require_all_used() const {
  const Tensor* first = nullptr;
  size_t unused = 0;
  for (const auto& [name, tensor] : accounting_->store.tensors()) {
    if (accounting_->used.count(&tensor) != 0) continue;
    if (first == nullptr) first = &tensor;
    ++unused;
  }
  if (first == nullptr) return;
  const std::string others = unused == 1 ? "" : str(" (and ", unused - 1, " more that this model does not use)");
  throw Error(Code::kModel, str(printable(first->name), ": expected no such tensor, the file has ", first->shape, others));
}

void WeightStore::drop(const Tensor& tensor) const noexcept {
  for (const Mapping& file : files_) {
    const Bytes all = file.bytes();
    if (tensor.bytes.data() >= all.data() && tensor.bytes.data() < all.data() + all.size())
      file.drop(tensor.bytes.data(), tensor.bytes.size());
  }
}

}  // namespace vit
