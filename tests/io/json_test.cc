// SPDX-License-Identifier: Apache-2.0
// JSON as hostile files hold it, and the typed access to a configuration's fields.
#include "runtime/io/json.h"

#include "ops/core/error.h"
#include "runtime/io/json_fields.h"
#include "runtime/io/printable.h"
#include "tests/catch.h"

namespace vit {
namespace {

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kModel);
    return error.what();
  }
  return "accepted";
}

TEST_CASE("JSON that is refused says where and what", "[io]") {
  struct Case {
    std::string text;
    const char* sentence;
  };
  const Case table[] = {
      {"", "c.json: expected valid JSON, found the end of the file (line 1, byte 0)"},
      {"[1,2", "found the end of the file (line 1, byte 4)"},
      {"{\"a\":1}x", "found 'x' (line 1, byte 7)"},
      {"{\"a\":1}\n\n{}", "found '{}' (line 3, byte 9)"},
      {std::string("{}\0{", 4), "found a NUL byte (line 1, byte 2)"},
      {"[1,\n NaN]", "found 'NaN]' (line 2, byte 5)"},
      {"[Infinity]", "found 'Infinity]' (line 1, byte 1)"},
      {"[-Infinity]", "found 'Infinity]' (line 1, byte 2)"},
      {"[1e999]", "a number that is too large"},
      {"[01]", "expected valid JSON"},
      {"[1,]", "found ']' (line 1, byte 3)"},
      {"['a']", "expected valid JSON"},
      {"// c\n1", "expected valid JSON"},
      {"\"a\nb\"", "expected valid JSON"},
      {"\"\x1b\"", "found '?"},
      {"\"\xff\"", "a string that is not valid UTF-8"},
      {"\"\xc0\x80\"", "a string that is not valid UTF-8"},
      {"\"\xed\xa0\x80\"", "a string that is not valid UTF-8"},
      {"\"\\ud800\"", "expected valid JSON"},
      {"{\"a\":1,\n\"b\":{},\"a\":2}", "found the key \"a\" a second time (line 2, byte 18)"},
      {"{\"x\":[{\"\\u001b\":1,\"\\u001b\":2}]}", "found the key \"\\u001b\" a second time"},
      {std::string(1 << 20, '['), "found more than 64 levels of nesting (line 1, byte 65)"},
      {[] {
         std::string s;
         for (int i = 0; i < 100000; ++i) s += "{\"a\":";
         return s;
       }(),
       "found more than 64 levels of nesting"},
  };
  for (const Case& c : table) {
    const std::string text = c.text.substr(0, 60);
    CAPTURE(text);
    const std::string sentence = refusal([&] { parse_json(c.text, "c.json"); });
    CAPTURE(sentence);
    CHECK(sentence.find("c.json: ") == 0);
    CHECK(sentence.find(c.sentence) != std::string::npos);
  }
}

TEST_CASE("JSON that is read keeps integers, order and text", "[io]") {
  const JsonDocument document = parse_json(
      "\xef\xbb\xbf {\"z\": 18446744073709551615, \"a\": -9223372036854775808, \"f\": 8.0, \"s\": \"\\u00e9\\n\"} ", "c.json");
  const Json& json = document;
  CHECK(json["z"].get<uint64_t>() == UINT64_MAX);
  CHECK(json["a"].get<int64_t>() == INT64_MIN);
  CHECK(json["f"].is_number_float());
  CHECK(json["s"].get<std::string>() == "\xc3\xa9\n");
  CHECK(json.begin().key() == "z");
  CHECK(parse_json(std::string(64, '[') + std::string(64, ']'), "c.json").root().is_array());
  CHECK(parse_json("[[1,[2]],{\"a\":[{}]},null,true]", "c.json").root().dump() == "[[1,[2]],{\"a\":[{}]},null,true]");
  CHECK(parse_json("7", "c.json").root() == 7);
}

TEST_CASE("many keys cost no more than sorting them", "[io]") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  CHECK(parse_json(text + "}", "c.json").root().size() == 200'000);
  CHECK(refusal([&] { parse_json(text + ",\"0\":1}", "c.json"); }).find("the key \"0\" a second time") != std::string::npos);
}

TEST_CASE("fields are read by type, and refused with file, field, expected and found", "[io]") {
  const JsonDocument document =
      parse_json(R"({"n": 12, "big": 18446744073709551615, "neg": -1, "x": 0.5, "whole": 12.0, "t": true, "s": "vit", "nul": null,
                                   "size": [224, 192], "list": [0.5, 1], "texts": ["a"], "sub": {"n": "7"}, "esc": "\u001b[31m"})",
                 "c.json");
  const Json& json = document;
  const JsonFields fields(json, "c.json");
  const IntegerRange positive{1, 1000};

  SECTION("what is there") {
    CHECK(fields.integer("n", positive) == 12);
    CHECK(fields.integer("n", positive, 3) == 12);
    CHECK(fields.maybe_integer("n", positive) == 12);
    CHECK(fields.number("x", {0, 1}) == 0.5);
    CHECK(fields.number("n", {}) == 12);
    CHECK(fields.boolean("t"));
    CHECK(fields.text("s") == "vit");
    CHECK(fields.pair("size", positive) == std::pair<int64_t, int64_t>(224, 192));
    CHECK(fields.pair("n", positive) == std::pair<int64_t, int64_t>(12, 12));
    CHECK(fields.maybe_numbers("list", {}, 1, 3) == std::vector<double>{0.5, 1});
    CHECK(fields.maybe_texts("texts") == std::vector<std::string>{"a"});
    CHECK(fields.has("nul"));
  }
  SECTION("what is absent") {
    CHECK_FALSE(fields.has("absent"));
    CHECK(fields.integer("absent", positive, 3) == 3);
    CHECK(fields.number("absent", {}, 1e-12) == 1e-12);
    CHECK(fields.boolean("absent", true));
    CHECK(fields.text("absent", "gelu") == "gelu");
    CHECK_FALSE(fields.maybe_integer("absent", positive));
    CHECK_FALSE(fields.pair("absent", positive));
    CHECK_FALSE(fields.maybe_object("absent"));
    CHECK(refusal([&] { fields.integer("absent", positive); }) ==
          "c.json: absent: expected an integer from 1 to 1000, found no such field");
    CHECK(refusal([&] { fields.text("absent"); }) == "c.json: absent: expected a string, found no such field");
  }
  SECTION("what is null") {
    CHECK_FALSE(fields.maybe_integer("nul", positive));
    CHECK_FALSE(fields.maybe_number("nul", {}));
    CHECK_FALSE(fields.maybe_boolean("nul"));
    CHECK_FALSE(fields.maybe_text("nul"));
    CHECK_FALSE(fields.maybe_numbers("nul", {}, 3, 3));
    CHECK_FALSE(fields.maybe_texts("nul"));
    CHECK_FALSE(fields.maybe_object("nul"));
    CHECK(refusal([&] { fields.integer("nul", positive, 3); }) == "c.json: nul: expected an integer from 1 to 1000, found null");
    CHECK(refusal([&] { fields.text("nul", "vit"); }) == "c.json: nul: expected a string, found null");
    CHECK(refusal([&] { fields.number("nul", {0, 1}, 0); }) == "c.json: nul: expected a number from 0 to 1, found null");
    CHECK(refusal([&] { fields.pair("nul", positive); }).find("found null") != std::string::npos);
  }
  SECTION("what is of another type or out of range") {
    CHECK(refusal([&] { fields.integer("s", positive); }) == "c.json: s: expected an integer from 1 to 1000, found \"vit\"");
    CHECK(refusal([&] { fields.integer("whole", positive); }).find("found 12.0") != std::string::npos);
    CHECK(refusal([&] { fields.integer("big", {0}); }).find("found 18446744073709551615") != std::string::npos);
    CHECK(refusal([&] { fields.integer("neg", {0}); }) == "c.json: neg: expected an integer of at least 0, found -1");
    CHECK(refusal([&] { fields.integer("t", positive); }).find("found true") != std::string::npos);
    CHECK(refusal([&] { fields.number("neg", {0}); }) == "c.json: neg: expected a number of at least 0, found -1");
    CHECK(refusal([&] { fields.boolean("n"); }) == "c.json: n: expected true or false, found 12");
    CHECK(refusal([&] { fields.pair("list", positive); }).find("or a list of two, found a list of 2") != std::string::npos);
    CHECK(refusal([&] { fields.maybe_numbers("list", {}, 3, 3); }).find("a list of 3, each a number, found a list of 2") !=
          std::string::npos);
    CHECK(refusal([&] { fields.maybe_texts("list"); }).find("a list of strings") != std::string::npos);
    CHECK(refusal([&] { fields.maybe_object("n"); }).find("expected an object, found 12") != std::string::npos);
    CHECK(refusal([&] { fields.integer("esc", positive); }).find("found \"\\u001b[31m\"") != std::string::npos);
    CHECK(refusal([&] { JsonFields list(json["list"], "c.json"); }) == "c.json: expected a JSON object, found a list of 2");
  }
  SECTION("inside another object") {
    const auto sub = fields.maybe_object("sub");
    REQUIRE(sub);
    CHECK(refusal([&] { sub->integer("n", positive); }) == "c.json: sub.n: expected an integer from 1 to 1000, found \"7\"");
  }
}

TEST_CASE("text from a file is shown without control characters, and not at any length", "[io]") {
  CHECK(printable("blocks.0.\xc3\xa9") == "blocks.0.\xc3\xa9");
  CHECK(printable("a\x1b[31m\n\x7f") == "a\\x1b[31m\\x0a\\x7f");
  CHECK(printable("\xc2\x9b") == "\\u009b");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable("\xf0\x9f\x90\xb1") == "\xf0\x9f\x90\xb1");
  CHECK(printable(std::string(1000, 'x'), 10) == "xxxxxxxxxx...");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
}

}  // namespace
}  // namespace vit
