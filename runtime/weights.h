// SPDX-License-Identifier: Apache-2.0
// A model's tensors by name: where their bytes lie, and the accounting of which of them were asked for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ops/core/file.h"
#include "ops/core/shape.h"

namespace vit {

enum class DType { kF32, kF16, kBF16, kF64, kOther };
const char* dtype_name(DType type);

/// Gives the numbers of a tensor that do not stand one after the other in its file.
class TensorReader {
 public:
  virtual ~TensorReader() = default;
  /// Elements [first, first + count) of the flattened tensor.
  virtual void to_float(int64_t first, int64_t count, float* out) const = 0;
};

/// A view of one tensor; the bytes belong to its WeightStore. Alignment is not promised.
struct Tensor {
  std::string name;
  DType dtype = DType::kF32;
  std::string dtype_code;  ///< as the file has it ("F32", "I64", ...)
  Shape shape;
  Bytes bytes;
  std::string file;                                         ///< the file it stands in, without its folder
  std::shared_ptr<const std::vector<float>> own = nullptr;  ///< of a tensor that stands in no file
  std::shared_ptr<const TensorReader> reader = nullptr;     ///< instead of bytes
  int64_t reader_first = 0;                                 ///< the view's first element there
  explicit operator bool() const { return !name.empty(); }
  /// Rows [first, first + count) of the first axis, as a view of the same bytes. They must exist.
  Tensor rows(int64_t first, int64_t count) const;
  /// Copies elements [first, first + count) of the flattened tensor as float32. Not for kOther.
  void to_float(int64_t first, int64_t count, float* out) const;
};

/// A float32 tensor that a family makes itself. `values` has as many elements as `shape`.
Tensor constant_tensor(std::string name, const Shape& shape, std::vector<float> values);

/// Makes up tensors that no file has: random weights of an untrained model.
class TensorMaker {
 public:
  virtual ~TensorMaker() = default;
  virtual Tensor make(const std::string& name, const Shape& shape) = 0;
};

/// All tensors of a model, with the mapped files under them. Immutable; shared by model and plans.
class WeightStore {
 public:
  void add_file(Mapping mapping) { files_.push_back(std::move(mapping)); }
  /// Throws Error(kModel) when the name is there already.
  void add(Tensor tensor);
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  /// For a model without files: every tensor that a family takes is made up.
  void set_maker(std::shared_ptr<TensorMaker> maker) { maker_ = std::move(maker); }
  TensorMaker* maker() const { return maker_.get(); }
  const std::vector<Mapping>& files() const { return files_; }
  /// Tells the kernel that a tensor's bytes were read for the last time; they stay readable.
  void drop(const Tensor& tensor) const noexcept;

 private:
  std::vector<Mapping> files_;
  std::map<std::string, Tensor> tensors_;
  std::shared_ptr<TensorMaker> maker_;
};

/// What a family builder asks with: by name and by shape. Remembers what was taken, so that nothing in the file is left over.
class Weights {
 public:
  explicit Weights(const WeightStore& store);
  /// The same store and the same accounting; names are asked for with `prefix` before them, which brings its own dot
  /// ("encoder.").
  Weights at(const std::string& prefix) const;

  bool has(const std::string& name) const;
  std::string full_name(const std::string& name) const { return prefix_ + name; }
  /// Throws Error(kModel): "NAME: expected [..], the file has no such tensor" or "..., the file has [..]", or a type that is no
  /// float.
  Tensor take(const std::string& name, const Shape& shape) const;
  /// Looks without taking: for a size that only the tensor tells. Throws when absent.
  const Tensor& look(const std::string& name) const;
  /// Marks what the family knows and does not need (mask tokens, poolers), if present. `name` is without prefix handling.
  void ignore(const std::string& name) const;
  /// The same for all tensors whose names begin so.
  void ignore_all(const std::string& beginning) const;
  /// Throws Error(kModel) that names the first tensor that nobody asked for and counts the rest.
  void require_all_used() const;

 private:
  struct Accounting;
  std::string prefix_;
  std::shared_ptr<Accounting> accounting_;
};

}  // namespace vit
