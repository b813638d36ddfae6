// SPDX-License-Identifier: Apache-2.0
// A buffer with known bytes before and after it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace vit {

template <class T>
class Guarded {
 public:
  /// `shift` elements off the allocation's alignment.
  explicit Guarded(int64_t size, int64_t shift = 0)
      : size_(size), begin_(kGuard + shift), all_(static_cast<size_t>(size + begin_ + kGuard)) {
    std::memset(all_.data(), kByte, all_.size() * sizeof(T));
  }
  Guarded(const std::vector<T>& values, int64_t shift = 0) : Guarded(static_cast<int64_t>(values.size()), shift) {
    std::copy(values.begin(), values.end(), data());
  }
  T* data() { return all_.data() + begin_; }
  T& operator[](int64_t i) { return data()[i]; }
  int64_t size() const { return size_; }
  bool guards_intact() const { return untouched(0, begin_) && untouched(begin_ + size_, static_cast<int64_t>(all_.size())); }

 private:
  static constexpr int64_t kGuard = 64;
  static constexpr int kByte = 0xa5;
  bool untouched(int64_t first, int64_t last) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(all_.data());
    return std::all_of(bytes + first * static_cast<int64_t>(sizeof(T)), bytes + last * static_cast<int64_t>(sizeof(T)),
                       [](unsigned char b) { return b == kByte; });
  }
  int64_t size_, begin_;
  std::vector<T> all_;
};

}  // namespace vit
