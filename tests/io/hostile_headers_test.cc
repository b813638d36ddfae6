// SPDX-License-Identifier: Apache-2.0
// Safetensors files wrong in one place each, every place in turn: cut, numbers, shapes, offsets, names, types, single bytes.
#include <algorithm>
#include <cstring>
#include <functional>

#include "ops/core/error.h"
#include "ops/core/file.h"
#include "runtime/io/json.h"
#include "runtime/io/safetensors.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/io/bytes.h"
#include "tests/support/tally.h"

namespace vit {
namespace {

/// A header whose tensors differ in type, rank and size, and its data.
const std::string kMixed =
    R"({"__metadata__":{"format":"pt"},"vit.cls":{"dtype":"F32","shape":[1,1,3],"data_offsets":[0,12]},)"
    R"("vit.w":{"dtype":"F16","shape":[3,2],"data_offsets":[12,24]},"vit.b":{"dtype":"BF16","shape":[5],"data_offsets":[24,34]},)"
    R"("ids":{"dtype":"I64","shape":[1],"data_offsets":[34,42]},"none":{"dtype":"F64","shape":[0,7],"data_offsets":[42,42]},)"
    R"("d":{"dtype":"F64","shape":[],"data_offsets":[42,50]},"nibbles":{"dtype":"F4","shape":[4],"data_offsets":[50,52]}})";
const std::string kData(52, '\x3c');

std::string fixture_file(const std::string& model) {
  const std::string path = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/models/" + model + "/model.safetensors";
  const std::vector<uint8_t> bytes = read_file(path, uint64_t{1} << 24);
  return {bytes.begin(), bytes.end()};
}

std::string header_of(const std::string& file) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, file.data(), sizeof bytes);
  return file.substr(8, bytes);
}

/// Reads every byte that the tensors name.
void touch(const Safetensors& content) {
  volatile float sink = 0;
  for (const Tensor& tensor : content.tensors) {
    for (const uint8_t byte : tensor.bytes) sink = sink + byte;
    if (tensor.dtype == DType::kOther) continue;
    std::vector<float> floats(static_cast<size_t>(tensor.shape.elements()));
    tensor.to_float(0, static_cast<int64_t>(floats.size()), floats.data());
    for (const float x : floats) sink = sink + x;
  }
}

/// The file opens, or one sentence of the model's kind refuses it; no single allocation is out of proportion to it.
void try_file(Tally& tally, const std::string& file) {
  if (!tally.is_new(file)) return;
  const std::vector<uint8_t> exact(file.begin(), file.end());  // no byte more: a sanitizer sees a read behind the end
  // A parsed value takes some hundred bytes for the two characters that it may have in the text.
  tally.attempt(Code::kModel, 65536 + 256 * static_cast<int64_t>(file.size()),
                [&] { touch(parse_safetensors(exact, "w.safetensors", uint64_t{16} << 20)); });
}

void try_header(Tally& tally, const std::string& header, const std::string& data = kData) {
  try_file(tally, safetensors_file(header, data));
}

/// A header that `edit` changed as JSON; what it makes must not be sorted or repaired, so keys stay in their order.
void try_edited(Tally& tally, const std::function<void(Json&)>& edit) {
  Json header = Json::parse(kMixed);
  edit(header);
  try_header(tally, header.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::vector<std::string> tensor_names() {
  std::vector<std::string> names;
  const Json header = Json::parse(kMixed);
  for (const auto& [name, value] : header.items())
    if (name != "__metadata__") names.push_back(name);
  return names;
}

constexpr const char* kNumbers[] = {"0",
                                    "1",
                                    "2",
                                    "3",
                                    "7",
                                    "8",
                                    "15",
                                    "16",
                                    "-1",
                                    "-0",
                                    "00",
                                    "01",
                                    "+1",
                                    "0x10",
                                    "8.0",
                                    "8.5",
                                    "1e3",
                                    "1E-3",
                                    "127",
                                    "128",
                                    "255",
                                    "256",
                                    "65535",
                                    "65536",
                                    "2147483647",
                                    "2147483648",
                                    "4294967295",
                                    "4294967296",
                                    "4611686018427387904",
                                    "9223372036854775807",
                                    "9223372036854775808",
                                    "-9223372036854775808",
                                    "-9223372036854775809",
                                    "18446744073709551615",
                                    "18446744073709551616",
                                    "99999999999999999999999",
                                    "1e308",
                                    "1e400",
                                    "null",
                                    "true",
                                    "[]",
                                    "[8]",
                                    "{}",
                                    "\"8\"",
                                    "\"\"",
                                    "NaN",
                                    "Infinity",
                                    ""};

/// Puts each of kNumbers where each number of the text stands.
void try_numbers(Tally& tally, const std::string& header, const std::string& data) {
  const auto digit = [&](size_t i) { return header[i] >= '0' && header[i] <= '9'; };
  for (size_t at = 1; at < header.size(); ++at) {
    if (!digit(at) || (header[at - 1] != '[' && header[at - 1] != ',')) continue;
    const size_t end = header.find_first_not_of("0123456789", at);
    for (const char* number : kNumbers) try_header(tally, std::string(header).replace(at, end - at, number), data);
  }
}

TEST_CASE("safetensors files cut after each byte are refused, whatever their length says", "[io][hostile]") {
  Tally tally("safetensors files cut after each byte");
  for (const std::string& file :
       {safetensors_file(kMixed, kData), fixture_file("timm-parallel"), fixture_file("vit-rectangle")}) {
    const std::string header = header_of(file);
    for (size_t bytes = 0; bytes < std::min(file.size(), 8 + header.size() + 60); ++bytes) try_file(tally, file.substr(0, bytes));
    for (size_t bytes = 0; bytes < header.size(); ++bytes) {  // and again, with a length that is right
      try_header(tally, header.substr(0, bytes), "");
      if (bytes % 4 == 0) try_header(tally, header.substr(0, bytes), file.substr(8 + header.size()));
    }
  }
  CHECK(tally.cases() > 13'000);
  CHECK(tally.taken_cases() == 0);
}

TEST_CASE("each number of a safetensors header at its edges is taken or refused", "[io][hostile]") {
  Tally tally("numbers of safetensors headers");
  try_numbers(tally, kMixed, kData);
  const std::string file = fixture_file("timm-parallel"), header = header_of(file);
  try_numbers(tally, header, file.substr(8 + header.size()));
  for (size_t byte = 0; byte < 8; ++byte)
    for (int value = 0; value < 256; value += byte < 2 ? 1 : 17) {
      std::string changed = safetensors_file(kMixed, kData);
      changed[byte] = static_cast<char>(value);
      try_file(tally, changed);
    }
  CHECK(tally.cases() > 5500);
  CHECK(tally.taken_cases() > 10);
}

TEST_CASE("tensors that lie about their shape, type, place or name are taken or refused", "[io][hostile]") {
  Tally tally("lies in safetensors headers");
  const std::vector<std::string> names = tensor_names();
  constexpr const char* kTypes[] = {"F32",     "F16",     "BF16", "F64",  "BOOL", "I8", "U8",      "I16",     "U16",
                                    "I32",     "U32",     "I64",  "U64",  "C64",  "F4", "F8_E5M2", "F8_E4M3", "F8_E8M0",
                                    "F6_E2M3", "F6_E3M2", "f32",  "F32 ", "",     "F",  "F128",    "\\u0000", "F32\\u0000"};
  const Json kShapes[] = {Json::array(),
                          {0},
                          {1},
                          {2, 2},
                          {4},
                          {-1},
                          {1, 1, 1, 1, 1, 1, 1, 1},
                          {0, INT64_MAX},
                          {INT64_MAX},
                          {INT64_MAX, 2},
                          {UINT64_MAX},
                          {1 << 20, 1 << 20, 1 << 20, 1 << 20},
                          {1.0},
                          {"1"},
                          {nullptr},
                          {{1}},
                          Json::array({Json::array()}),
                          Json(std::vector<int>(64, 1)),
                          Json(std::vector<int>(65, 1)),
                          Json(std::vector<int>(3000, 1)),
                          nullptr,
                          1,
                          "[1]",
                          Json::object(),
                          true};
  const Json kOddValues[] = {nullptr, true, 0, -1, 0.5, "", "x", Json::array(), {0, 1}, Json::object(), {{"a", 1}}};
  for (const std::string& name : names) {
    for (const char* type : kTypes) try_edited(tally, [&](Json& h) { h[name]["dtype"] = type; });
    for (const Json& shape : kShapes) try_edited(tally, [&](Json& h) { h[name]["shape"] = shape; });
    for (const char* key : {"dtype", "shape", "data_offsets", "extra"}) {
      try_edited(tally, [&](Json& h) { h[name].erase(key); });
      for (const Json& value : kOddValues) try_edited(tally, [&](Json& h) { h[name][key] = value; });
    }
    for (const Json& value : kOddValues) try_edited(tally, [&](Json& h) { h[name] = value; });
    for (const std::string& other : names) {
      try_edited(tally, [&](Json& h) { h[name]["data_offsets"] = Json(h[other]["data_offsets"]); });
      try_edited(tally, [&](Json& h) { std::swap(h[name]["data_offsets"], h[other]["data_offsets"]); });
      std::string twice = kMixed;  // the same name a second time
      const std::string quoted = "\"" + name + "\":";
      twice.replace(twice.find(quoted), quoted.size(), "\"" + other + "\":");
      try_header(tally, twice);
    }
    for (const int64_t step : {-52, -12, -8, -2, -1, 1, 2, 8, 12, 52, 1000})
      for (const auto& [begin, end] : {std::pair(1, 0), {0, 1}, {1, 1}, {1, -1}})
        try_edited(tally, [&, begin = begin, end = end](Json& h) {
          Json& at = h[name]["data_offsets"];
          at = {at[0].get<int64_t>() + step * begin, at[1].get<int64_t>() + step * end};
        });
    for (const uint64_t high : {uint64_t{1} << 32, uint64_t{1} << 63, UINT64_MAX - 60})
      try_edited(tally, [&](Json& h) {
        Json& at = h[name]["data_offsets"];
        at = {at[0].get<uint64_t>() + high, at[1].get<uint64_t>() + high};
      });
  }
  for (const Json& value : kOddValues) {
    try_edited(tally, [&](Json& h) { h["__metadata__"] = value; });
    try_edited(tally, [&](Json& h) { h["__metadata__"]["format"] = value; });
    try_header(tally, value.dump());
  }
  for (const char* name : {"", " ", ".", "__metadata__ ", "\\u0000", "\\u001b[2J", "\\ud800", "\\udfff\\ud800", "\x80",
                           "\xff\xfe", "\xc0\xaf", "\xf4\x90\x80\x80", "\\", "\\x", "\\u12"}) {
    std::string renamed = kMixed;
    renamed.replace(renamed.find("vit.w"), 5, name);
    try_header(tally, renamed);
  }
  std::string renamed = kMixed;
  try_header(tally, renamed.replace(renamed.find("vit.w"), 5, std::string(1 << 20, 'n')));
  for (const size_t depth : {2, 60, 63, 64, 65, 1000, 100'000}) {
    try_header(tally, "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}");
    try_header(tally, std::string(depth, '{'));
    std::string nested;
    for (size_t i = 0; i < depth; ++i) nested += "{\"a\":";
    try_header(tally, nested + "1" + std::string(depth, '}'));
  }
  for (const char* text :
       {"",     " ",       "[]",    "null",       "\"\"", "1",    "{",    "}",       "{}x", "{},", "{} {}", "\xef\xbb\xbf{}",
        "//{}", "{'a':1}", "{a:1}", "{\"a\":1,}", "{,}",  "\n{}", "{}\n", "{}      "})
    for (const std::string& data : {std::string(), kData}) try_header(tally, text, data);
  CHECK(tally.cases() > 1200);
  CHECK(tally.taken_cases() > 20);
}

TEST_CASE("a safetensors header with one other byte is taken or refused", "[io][hostile]") {
  Tally tally("single bytes of a safetensors header");
  const std::string characters("\"{}[],:0-.\\\n\x80\xff\0e t", 19);
  for (size_t at = 0; at < kMixed.size(); ++at) {
    for (const char c : characters) try_header(tally, std::string(kMixed).replace(at, 1, 1, c));
    try_header(tally, std::string(kMixed).erase(at, 1));
    try_header(tally, std::string(kMixed).insert(at, 1, kMixed[at]));
  }
  CHECK(tally.cases() > 8000);
  CHECK(tally.taken_cases() > 100);
}

}  // namespace
}  // namespace vit
