// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/json_fields.h"

#include <cmath>

#include "ops/core/error.h"

namespace vit {
namespace {

std::string name_of(IntegerRange range) {
  if (range.min == INT64_MIN && range.max == INT64_MAX) return "an integer";
  if (range.max == INT64_MAX) return str("an integer of at least ", range.min);
  return str("an integer from ", range.min, " to ", range.max);
}

std::string name_of(NumberRange range) {
  const NumberRange any;
  if (range.min <= any.min && range.max >= any.max) return "a number";
  if (range.max >= any.max) return str("a number of at least ", range.min);
  return str("a number from ", range.min, " to ", range.max);
}

bool holds(const Json& value, IntegerRange range) {
  if (value.is_number_unsigned()) {
    const uint64_t n = value.get<uint64_t>();
    return n <= static_cast<uint64_t>(INT64_MAX) && static_cast<int64_t>(n) >= range.min && static_cast<int64_t>(n) <= range.max;
  }
  return value.is_number_integer() && value.get<int64_t>() >= range.min && value.get<int64_t>() <= range.max;
}

bool holds(const Json& value, NumberRange range) {
  if (!value.is_number()) return false;
  const double number = value.get<double>();
  return std::isfinite(number) && number >= range.min && number <= range.max;
}

}  // namespace

std::string shown(const Json& value) {
  if (value.is_array()) return str("a list of ", value.size());
  if (value.is_object()) return "an object";
  constexpr size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kLongest) text.replace(kLongest, std::string::npos, "...");
  return text;
}

JsonFields::JsonFields(const Json& value, std::string file) : value_(&value), file_(std::move(file)) {
  VIT_CHECK(value.is_object(), Code::kModel, file_, ": expected a JSON object, found ", shown(value));
}

const Json* JsonFields::find(const std::string& key) const {
  const auto found = value_->find(key);
  return found == value_->end() ? nullptr : &*found;
}

const Json* JsonFields::find_set(const std::string& key) const {
  const Json* value = find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void JsonFields::fail(const std::string& key, const std::string& expected) const {
  const Json* value = find(key);
  throw Error(Code::kModel, str(file_, ": ", path_, key, ": expected ", expected, ", found ",
                                value == nullptr ? "no such field" : shown(*value)));
}

const Json& JsonFields::require(const std::string& key, const std::string& expected) const {
  const Json* value = find(key);
  if (value == nullptr) fail(key, expected);
  return *value;
}

int64_t JsonFields::integer(const std::string& key, IntegerRange range) const {
  const Json& value = require(key, name_of(range));
  if (!holds(value, range)) fail(key, name_of(range));
  return value.get<int64_t>();
}

int64_t JsonFields::integer(const std::string& key, IntegerRange range, int64_t otherwise) const {
  return has(key) ? integer(key, range) : otherwise;
}

std::optional<int64_t> JsonFields::maybe_integer(const std::string& key, IntegerRange range) const {
  if (find_set(key) == nullptr) return std::nullopt;
  return integer(key, range);
}

double JsonFields::number(const std::string& key, NumberRange range) const {
  const Json& value = require(key, name_of(range));
  if (!holds(value, range)) fail(key, name_of(range));
  return value.get<double>();
}

double JsonFields::number(const std::string& key, NumberRange range, double otherwise) const {
  return has(key) ? number(key, range) : otherwise;
}

std::optional<double> JsonFields::maybe_number(const std::string& key, NumberRange range) const {
  if (find_set(key) == nullptr) return std::nullopt;
  return number(key, range);
}

bool JsonFields::boolean(const std::string& key) const {
  const Json& value = require(key, "true or false");
  if (!value.is_boolean()) fail(key, "true or false");
  return value.get<bool>();
}

bool JsonFields::boolean(const std::string& key, bool otherwise) const { return has(key) ? boolean(key) : otherwise; }

std::optional<bool> JsonFields::maybe_boolean(const std::string& key) const {
  if (find_set(key) == nullptr) return std::nullopt;
  return boolean(key);
}

std::string JsonFields::text(const std::string& key) const {
  const Json& value = require(key, "a string");
  if (!value.is_string()) fail(key, "a string");
  return value.get<std::string>();
}

std::string JsonFields::text(const std::string& key, const std::string& otherwise) const {
  return has(key) ? text(key) : otherwise;
}

std::optional<std::string> JsonFields::maybe_text(const std::string& key) const {
  if (find_set(key) == nullptr) return std::nullopt;
  return text(key);
}

std::optional<std::pair<int64_t, int64_t>> JsonFields::pair(const std::string& key, IntegerRange range) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (holds(*value, range)) return std::pair(value->get<int64_t>(), value->get<int64_t>());
  const bool two = value->is_array() && value->size() == 2 && holds((*value)[0], range) && holds((*value)[1], range);
  if (!two) fail(key, name_of(range) + ", or a list of two");
  return std::pair((*value)[0].get<int64_t>(), (*value)[1].get<int64_t>());
}

std::optional<std::vector<double>> JsonFields::maybe_numbers(const std::string& key, NumberRange range, size_t min_count,
                                                             size_t max_count) const {
  const Json* value = find_set(key);
  if (value == nullptr) return std::nullopt;
  const std::string count = min_count == max_count ? str(min_count) : str(min_count, " to ", max_count);
  const std::string expected = str("a list of ", count, ", each ", name_of(range));
  if (!value->is_array() || value->size() < min_count || value->size() > max_count) fail(key, expected);
  std::vector<double> numbers;
  for (const Json& element : *value) {
    if (!holds(element, range)) fail(key, expected);
    numbers.push_back(element.get<double>());
  }
  return numbers;
}

std::optional<std::vector<std::string>> JsonFields::maybe_texts(const std::string& key) const {
  const Json* value = find_set(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) fail(key, "a list of strings");
  std::vector<std::string> texts;
  for (const Json& element : *value) {
    if (!element.is_string()) fail(key, "a list of strings");
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

std::optional<JsonFields> JsonFields::maybe_object(const std::string& key) const {
  const Json* value = find_set(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) fail(key, "an object");
  return JsonFields(*value, file_, path_ + key + ".");
}

}  // namespace vit
