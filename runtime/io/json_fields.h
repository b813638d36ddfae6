// SPDX-License-Identifier: Apache-2.0
// Typed access to the fields of a configuration file. Every refusal is one sentence: file, field, expected, found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/io/json.h"

namespace vit {

struct IntegerRange {
  int64_t min = 0, max = INT64_MAX;
};
struct NumberRange {
  double min = -1e30, max = 1e30;
};

/// A JSON object and the name that it has in sentences. Refers to the object: it must outlive this.
///
/// Three forms of each accessor, because a configuration means three different things by its silence:
///   integer(key, range)             must be there; absent or null is an error
///   integer(key, range, otherwise)  may be absent; null is a wrong type, as for the classes that read these files
///   maybe_integer(key, range)       may be absent or null, which both give nothing
/// All throw Error(kModel) for a wrong type or a value out of range. An integer has no fraction and no exponent.
class JsonFields {
 public:
  /// `file` starts every sentence. Throws when `value` is no object.
  JsonFields(const Json& value, std::string file);

  bool has(const std::string& key) const { return find(key) != nullptr; }
  /// The value, or nullptr when the key is absent; null is a value.
  const Json* find(const std::string& key) const;
  const std::string& file() const { return file_; }
  /// As sentences name a field: "config.json: pretrained_cfg.mean".
  std::string origin_of(const std::string& key) const { return file_ + ": " + path_ + key; }

  int64_t integer(const std::string& key, IntegerRange range) const;
  int64_t integer(const std::string& key, IntegerRange range, int64_t otherwise) const;
  std::optional<int64_t> maybe_integer(const std::string& key, IntegerRange range) const;

  double number(const std::string& key, NumberRange range) const;
  double number(const std::string& key, NumberRange range, double otherwise) const;
  std::optional<double> maybe_number(const std::string& key, NumberRange range) const;

  bool boolean(const std::string& key) const;
  bool boolean(const std::string& key, bool otherwise) const;
  std::optional<bool> maybe_boolean(const std::string& key) const;

  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  std::optional<std::string> maybe_text(const std::string& key) const;

  /// {height, width}, from [height, width] or from one number for both. Absent: nothing. Null is an error.
  std::optional<std::pair<int64_t, int64_t>> pair(const std::string& key, IntegerRange range) const;
  /// A list of at least `min_count` and at most `max_count` numbers. Absent or null: nothing.
  std::optional<std::vector<double>> maybe_numbers(const std::string& key, NumberRange range, size_t min_count,
                                                   size_t max_count) const;
  /// A list of strings. Absent or null: nothing.
  std::optional<std::vector<std::string>> maybe_texts(const std::string& key) const;
  /// The object under `key`; its sentences say "file: key.field: ...". Absent or null: nothing.
  std::optional<JsonFields> maybe_object(const std::string& key) const;

  /// Throws "file: field: expected EXPECTED, found WHAT IS THERE".
  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;

 private:
  JsonFields(const Json& value, std::string file, std::string path)
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}
  const Json& require(const std::string& key, const std::string& expected) const;
  const Json* find_set(const std::string& key) const;  ///< nullptr for null, too

  const Json* value_;
  std::string file_;
  std::string path_;  ///< "size." inside the object of the field `size`
};

/// A value as a sentence shows it: short, on one line, in ASCII. Lists and objects are only named.
std::string shown(const Json& value);

}  // namespace vit
