// SPDX-License-Identifier: Apache-2.0
// JSON as model files hold it: untrusted. Duplicate keys, deep nesting, NaN literals and invalid UTF-8 are errors.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace vit {

using Json = nlohmann::ordered_json;

constexpr int kMaxJsonDepth = 64;

/// A parsed text, and its owner. The library's own destructor allocates, and ends the process when there is no memory left; this
/// one takes the value apart first. Stands for the value where a `const Json&` is expected.
class JsonDocument {
 public:
  explicit JsonDocument(Json&& root) noexcept : root_(std::move(root)) {}
  JsonDocument(JsonDocument&& other) noexcept : root_(std::move(other.root_)) {}
  JsonDocument& operator=(JsonDocument&&) = delete;
  ~JsonDocument() { take_apart(root_); }
  const Json& root() const { return root_; }
  operator const Json&() const { return root_; }

  /// Empties a value of at most kMaxJsonDepth levels from the inside out.
  static void take_apart(Json& value) noexcept;

 private:
  Json root_;
};

/// Parses a whole text. `what` (a path) starts the sentence of the Error(kModel).
JsonDocument parse_json(std::string_view text, const std::string& what);

}  // namespace vit
