// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <vector>

namespace vit {

/// Lengths of a tensor's axes, outermost first, as NumPy prints them.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  /// Negative axes count from the last one.
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis < 0 ? rank() + axis : axis)]; }
  int64_t elements() const {
    int64_t n = 1;
    if (std::find(dims_.begin(), dims_.end(), 0) != dims_.end()) return 0;  // the other lengths need not multiply then
    for (const int64_t d : dims_) n *= d;
    return n;
  }
  const std::vector<int64_t>& dims() const { return dims_; }
  friend bool operator==(const Shape& a, const Shape& b) { return a.dims_ == b.dims_; }

 private:
  std::vector<int64_t> dims_;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

}  // namespace vit
