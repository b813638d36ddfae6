// SPDX-License-Identifier: Apache-2.0
// What hostile files led to: how many there were, all different, and how many were taken.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "ops/core/error.h"
#include "tests/allocations.h"
#include "tests/catch.h"

namespace vit {

class Tally {
 public:
  explicit Tally(std::string what) : what_(std::move(what)) {}
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;
  ~Tally() { std::printf("hostile: %s: %zu cases, %zu of them taken\n", what_.c_str(), seen_.size(), taken_); }

  /// Whether these bytes are a case that was not there yet.
  bool is_new(std::string_view bytes) { return seen_.insert(std::hash<std::string_view>()(bytes)).second; }
  /// Tries what was made of a case: it is taken, or refused by an Error of this kind in one clear sentence, and no single
  /// allocation is larger than `most` bytes.
  template <class Attempt>
  void attempt(Code kind, int64_t most, Attempt body) {
    const LargestAllocation largest;
    try {
      body();
      ++taken_;
    } catch (const Error& error) {
      if (error.code() != kind) FAIL_CHECK(error.what());
      refused(error.what());
    } catch (const std::exception& other) {
      FAIL_CHECK("not an Error: " << other.what());
    }
    if (largest.bytes() > most) FAIL_CHECK("an allocation of " << largest.bytes() << ", more than " << most);
  }
  void taken() { ++taken_; }
  /// Checks that a refusal is one clear sentence.
  void refused(const std::string& sentence) {
    ++refused_;
    bool clear = !sentence.empty() && sentence.size() < 1000;
    for (const char c : sentence) clear = clear && static_cast<unsigned char>(c) >= 0x20;
    if (!clear) FAIL_CHECK("no clear sentence: " << sentence);
  }
  size_t cases() const { return seen_.size(); }
  size_t taken_cases() const { return taken_; }
  size_t refused_cases() const { return refused_; }

 private:
  std::string what_;
  std::unordered_set<size_t> seen_;
  size_t taken_ = 0, refused_ = 0;
};

}  // namespace vit
