// SPDX-License-Identifier: Apache-2.0
// Primitives by the shape they were made for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

namespace vit::onednn {

/// Sorted by key. What the next run needs stays; of the rest, what exceeds kMost is dropped when something is added.
template <class Key, class Value>
class Reserved {
 public:
  static constexpr size_t kMost = 64;

  /// Whether `key` is there; if so it stays for the next run. The first call after a run begins the reservations for the next
  /// one.
  bool keep(const Key& key) {
    if (ran_.exchange(false, std::memory_order_relaxed)) ++epoch_;
    const auto at = lower(key);
    if (at == entries_.end() || at->key != key) return false;
    at->epoch = epoch_;
    return true;
  }
  void add(const Key& key, Value value) {
    if (entries_.size() >= kMost) std::erase_if(entries_, [this](const Entry& e) { return e.epoch != epoch_; });
    entries_.insert(lower(key), Entry{key, epoch_, std::move(value)});
  }

  /// The entry with the largest key that is not above `key`, or null. For runs; any thread.
  const Value* at_most(const Key& key) const noexcept {
    if (!ran_.load(std::memory_order_relaxed)) ran_.store(true, std::memory_order_relaxed);
    const auto above =
        std::upper_bound(entries_.begin(), entries_.end(), key, [](const Key& k, const Entry& e) { return k < e.key; });
    return above == entries_.begin() ? nullptr : &(above - 1)->value;
  }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Key key;
    uint64_t epoch;
    Value value;
  };
  auto lower(const Key& key) {
    return std::lower_bound(entries_.begin(), entries_.end(), key, [](const Entry& e, const Key& k) { return e.key < k; });
  }

  std::vector<Entry> entries_;
  uint64_t epoch_ = 0;
  mutable std::atomic<bool> ran_{false};
};

/// Primitives by number of rows, within the scratch memory that was promised to be enough. The one for a single row is always
/// there, so every number of rows can be run. Entry: `int64_t rows` and `scratch_bytes()`.
template <class Entry>
class ReservedRows {
 public:
  explicit ReservedRows(Entry one) : one_(std::move(one)), bytes_(one_.scratch_bytes()) {}

  /// What is enough for up to max_rows rows, given the primitive for max_rows. Kept to from now on.
  int64_t promise(const Entry& largest) { return promised_ = std::max({promised_, bytes_, largest.scratch_bytes()}); }

  template <class Make>
  void reserve(int64_t rows, Make make) {
    while (rows > 1 && !entries_.keep(rows)) {
      Entry entry = make(rows);
      if (promised_ < 0 || entry.scratch_bytes() <= promised_) {
        bytes_ = std::max(bytes_, entry.scratch_bytes());
        entries_.add(rows, std::move(entry));
        return;
      }
      rows /= 2;  // asks for more than the primitive for more rows did; two calls of fewer rows do as well
    }
  }

  /// Calls f(entry, first row) until `rows` rows are done.
  template <class F>
  void for_pieces(int64_t rows, F f) const noexcept {
    for (int64_t at = 0; at < rows;) {
      const Entry* reserved = entries_.at_most(rows - at);
      const Entry& entry = reserved != nullptr ? *reserved : one_;
      f(entry, at);
      at += entry.rows;
    }
  }

 private:
  Entry one_;
  Reserved<int64_t, Entry> entries_;
  int64_t bytes_;          ///< the most that an entry needs
  int64_t promised_ = -1;  ///< -1: nothing was promised yet
};

}  // namespace vit::onednn
