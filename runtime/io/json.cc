// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/json.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "ops/core/error.h"
#include "runtime/io/json_fields.h"

namespace vit {
namespace {

/// Walks the text and tells how far the reader has come: the library gives positions for its own errors only.
class Cursor {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor() = default;
  Cursor(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Cursor& a, const Cursor& b) { return a.at_ == b.at_; }
  friend bool operator!=(const Cursor& a, const Cursor& b) { return a.at_ != b.at_; }

 private:
  const char* at_ = nullptr;
  const char** furthest_ = nullptr;
};

/// Builds the value from the library's events. It keeps its own stack, as the library's parser does, so nothing here recurses.
///
/// The members of an object are kept in a list of ours until it is closed: the library's ordered object would search all earlier
/// keys for each new one (n squared), and copy every value when it grows.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const std::string& what) : text_(text), what_(what) {}
  ~Builder() override {
    for (Level& level : stack_)
      for (Member& member : level.members) JsonDocument::take_apart(member.value);
    JsonDocument::take_apart(root_);
  }

  JsonDocument parse() {
    const char* const end = text_.data() + text_.size();
    at_ = text_.data();
    // The library takes a NUL byte for the end of the text, and would not see what follows it.
    if (const size_t nul = text_.find('\0'); nul != std::string_view::npos) fail(nul, "a NUL byte");
    Json::sax_parse(Cursor(text_.data(), &at_), Cursor(end, &at_), this);
    return JsonDocument(std::move(root_));
  }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { fail(here(), "binary data"); }

  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool key(string_t& name) override {
    stack_.back().members.push_back({std::move(name), nullptr, here()});
    return true;
  }
  bool end_object() override {
    Level& level = stack_.back();
    refuse_duplicates(level.members);
    Members& members = level.value->get_ref<Json::object_t&>();
    members.reserve(level.members.size());
    for (Member& member : level.members) members.emplace_back(std::move(member.key), std::move(member.value));
    stack_.pop_back();
    return true;
  }
  bool end_array() override {
    stack_.pop_back();
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception& error) override {
    const std::string_view reason = error.what();
    if (reason.find("number overflow") != std::string_view::npos) fail(position, "a number that is too large");
    if (reason.find("UTF-8") != std::string_view::npos) fail(position, "a string that is not valid UTF-8");
    if (position > text_.size()) fail(text_.size(), "the end of the file");
    const size_t bad = position == 0 ? 0 : position - 1;  // the library counts the character that it could not use
    fail(bad, "'" + glimpse(bad) + "'");
  }

 private:
  using Members = Json::object_t::Container;  ///< a vector of pairs

  struct Member {
    std::string key;
    Json value;
    size_t at;  ///< position of the key
  };
  struct Level {
    Json* value;                  ///< stays where it is: what holds it does not grow before it is closed
    std::vector<Member> members;  ///< of an object
  };

  size_t here() const { return static_cast<size_t>(at_ - text_.data()); }

  Json* place(Json&& value) {
    if (stack_.empty()) return &(root_ = std::move(value));
    Level& level = stack_.back();
    if (level.value->is_array()) return &level.value->get_ref<Json::array_t&>().emplace_back(std::move(value));
    return &(level.members.back().value = std::move(value));
  }
  template <class T>
  bool add(T&& value) {
    place(Json(std::forward<T>(value)));
    return true;
  }
  bool open(Json&& value) {
    if (stack_.size() >= kMaxJsonDepth) fail(here(), str("more than ", kMaxJsonDepth, " levels of nesting"));
    stack_.push_back({place(std::move(value)), {}});
    return true;
  }

  void refuse_duplicates(const std::vector<Member>& members) const {
    std::vector<const Member*> order(members.size());
    std::transform(members.begin(), members.end(), order.begin(), [](const Member& member) { return &member; });
    std::sort(order.begin(), order.end(), [](const Member* a, const Member* b) {
      const int compared = a->key.compare(b->key);
      return compared != 0 ? compared < 0 : a < b;
    });
    for (size_t i = 1; i < order.size(); ++i)
      if (order[i]->key == order[i - 1]->key) fail(order[i]->at, str("the key ", shown(Json(order[i]->key)), " a second time"));
  }

  /// The text from `position` on, short and in printable ASCII.
  std::string glimpse(size_t position) const {
    std::string text;
    for (const char c : text_.substr(position, 20)) text += c >= ' ' && c < 127 ? c : '?';
    return text;
  }

  [[noreturn]] void fail(size_t position, const std::string& found) const {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    throw Error(Code::kModel, str(what_, ": expected valid JSON, found ", found, " (line ", line, ", byte ", position, ")"));
  }

  std::string_view text_;
  const std::string& what_;
  const char* at_ = nullptr;
  std::vector<Level> stack_;
  Json root_;
};

}  // namespace

void JsonDocument::take_apart(Json& value) noexcept {
  if (auto* list = value.get_ptr<Json::array_t*>()) {
    for (Json& element : *list) take_apart(element);
    list->clear();
  } else if (auto* members = value.get_ptr<Json::object_t*>()) {
    for (auto& [key, member] : *members) take_apart(member);
    members->clear();
  }
}

JsonDocument parse_json(std::string_view text, const std::string& what) { return Builder(text, what).parse(); }

}  // namespace vit
