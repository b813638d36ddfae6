// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace vit {
namespace {

constexpr size_t kLongest = 128;  ///< names beyond this are no typing mistakes

/// Insertions, deletions and replacements that make b of a (Levenshtein 1966).
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_names(std::string_view name, const std::vector<std::string>& known, size_t most) {
  if (name.empty() || name.size() > kLongest) return "";
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string& candidate : known) {
    const bool begins = name.size() >= 4 && std::string_view(candidate).starts_with(name);
    const size_t distance = begins ? 1 : edits(name, candidate);
    if (distance <= 1 + name.size() / 5) near.emplace_back(distance, candidate);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (size_t i = 0; i < std::min(most, near.size()) && near[i].first <= near[0].first + 1; ++i)
    text += (i ? " or " : "") + std::string(near[i].second);
  return text;
}

}  // namespace vit
