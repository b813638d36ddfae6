// SPDX-License-Identifier: Apache-2.0
// What hostile files led to: how many there were, all different, and how many were taken.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

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
