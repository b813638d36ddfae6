// SPDX-License-Identifier: Apache-2.0
// Every rule of the safetensors format, by files that break it; and what must be accepted all the same.
#include "runtime/io/safetensors.h"

#include <cstring>

#include "ops/core/error.h"
#include "tests/catch.h"
#include "tests/io/bytes.h"

namespace vit {
namespace {

constexpr uint64_t kLimit = uint64_t{16} << 20;

Bytes bytes_of(const std::string& file) { return {reinterpret_cast<const uint8_t*>(file.data()), file.size()}; }

struct Refused {
  const char* name;
  std::string file;
  const char* sentence;  ///< a part of it
};

void check_refused(const Refused& refused) {
  CAPTURE(refused.name);
  std::string sentence = "accepted";
  try {
    parse_safetensors(bytes_of(refused.file), "folder/w.safetensors", kLimit);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kModel);
    sentence = error.what();
  }
  CAPTURE(sentence);
  CHECK(sentence.find("folder/w.safetensors: ") == 0);
  CHECK(sentence.find(refused.sentence) != std::string::npos);
  CHECK(sentence.size() < 400);
  for (const char c : sentence) CHECK_FALSE(static_cast<unsigned char>(c) < 0x20);
}

std::string with_length(uint64_t length, const std::string& rest) {
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(length >> 8 * i & 255);
  return file + rest;
}

TEST_CASE("a file that is no safetensors file is named by what it is", "[io]") {
  std::string tar(600, 'a');
  tar.replace(257, 5, "ustar");
  const Refused table[] = {
      {"empty", "", "found an empty file"},
      {"seven bytes", "1234567", "found 7 bytes, too few"},
      {"LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "the weights were not downloaded"},
      {"web page", "\n<!DOCTYPE html><html><body>404</body></html>", "a web page"},
      {"error message", R"({"error":"Repository not found"})", "server's error message"},
      {"zip", "PK\x03\x04\x14\0\0\0\0\0\0\0rest", "a zip archive (a PyTorch checkpoint"},
      {"empty zip", "PK\x05\x06" + zeros(18), "an empty zip archive"},
      {"old torch stream", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e\x80",
       "PyTorch checkpoint of before version 1.6"},
      {"pickle", "\x80\x04\x95" + std::string(20, 'x'), "a Python pickle"},
      {"TorchScript", "PYTORCH1xxxxxxxx", "TorchScript"},
      {"tar", tar, "a tar archive"},
      {"NumPy", "\x93NUMPY\x01\0v\0{'descr'", "a NumPy array"},
      {"HDF5", "\x89HDF\r\n\x1a\n12345678", "HDF5"},
      {"gzip", "\x1f\x8b\x08\x08rest-of-it", "unpack it first"},
      {"picture", "\x89PNG\r\n\x1a\n and more", "expected a safetensors file, found a PNG picture"},
      {"noise", "\xaa\xbb\xcc\xdd\xee\xff\x11\x22\x33", "expected a safetensors header of at most 100000000 bytes"},
  };
  for (const Refused& refused : table) check_refused(refused);
}

TEST_CASE("a header's length is checked before anything is read by it", "[io]") {
  const Refused table[] = {
      {"beyond the format's limit", with_length(100'000'001, "{}"), "at most 100000000 bytes, found one of 100000001"},
      {"the largest number", with_length(UINT64_MAX, "{}"), "found one of 18446744073709551615"},
      {"beyond our limit", with_length(kLimit + 1, "{}"), "its header has 16777217 bytes, the limit is 16777216"},
      {"longer than the file", with_length(3, "{}"), "the file has 10 bytes, its header alone promises 11"},
      {"no header", with_length(0, ""), "begins with '{', found none"},
      {"only spaces", safetensors_file("    "), "begins with '{', found none"},
  };
  for (const Refused& refused : table) check_refused(refused);
  CHECK_NOTHROW(parse_safetensors(bytes_of(safetensors_file("{}")), "w", 2));
  CHECK_THROWS_AS(parse_safetensors(bytes_of(safetensors_file("{}")), "w", 1), Error);
}

TEST_CASE("a header that is not the JSON of the format is refused", "[io]") {
  const std::string deep = R"({"a":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  const Refused table[] = {
      {"a list", safetensors_file("[]"), "begins with '{', found '[]'"},
      {"byte order mark", safetensors_file("\xef\xbb\xbf{}"), "begins with '{'"},
      {"not JSON", safetensors_file("{\"a\" 1}"), "expected valid JSON"},
      {"cut", safetensors_file("{\"a\":{"), "found the end of the file"},
      {"garbage behind", safetensors_file("{} x"), "expected valid JSON, found 'x'"},
      {"NUL padding", safetensors_file(std::string_view("{}\0\0", 4)), "a NUL byte"},
      {"invalid UTF-8", safetensors_file("{\"\xff\":1}"), "not valid UTF-8"},
      {"NaN", safetensors_file(R"({"a":NaN})"), "expected valid JSON, found 'NaN"},
      {"absurd depth", safetensors_file(deep), "more than 64 levels"},
      {"duplicate tensor",
       safetensors_file(
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
       "the key \"a\" a second time"},
      {"duplicate by escape",
       safetensors_file(
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
       "a second time"},
      {"duplicate member", safetensors_file(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
       "the key \"dtype\" a second time"},
      {"duplicate metadata", safetensors_file(R"({"__metadata__":{},"__metadata__":{}})"), "a second time"},
      {"metadata of numbers", safetensors_file(R"({"__metadata__":{"step":1}})"),
       "__metadata__: step: expected a string, found 1"},
      {"metadata as a list", safetensors_file(R"({"__metadata__":[]})"),
       "__metadata__: expected an object of strings, found a list"},
  };
  for (const Refused& refused : table) check_refused(refused);
}

std::string entry(const std::string& members) { return safetensors_file("{\"t\\u001b\":{" + members + "}}", zeros(8)); }

TEST_CASE("an entry of the header has the three members with their types", "[io]") {
  const std::string shape = R"("shape":[2],)", dtype = R"("dtype":"F32",)", offsets = R"("data_offsets":[0,8])";
  const Refused table[] = {
      {"no object", safetensors_file(R"({"t":3})"), "tensor t: expected an object, found 3"},
      {"null", safetensors_file(R"({"t":null})"), "tensor t: expected an object, found null"},
      {"no dtype", entry(shape + offsets), "tensor t\\x1b: expected dtype, shape and data_offsets, found no dtype"},
      {"no shape", entry(dtype + offsets), "found no shape"},
      {"no offsets", entry(R"("dtype":"F32","shape":[2])"), "found no data_offsets"},
      {"dtype a number", entry(R"("dtype":32,)" + shape + offsets), "dtype: expected a string, found 32"},
      {"unknown dtype", entry(R"("dtype":"F33",)" + shape + offsets), "found \"F33\""},
      {"dtype in small letters", entry(R"("dtype":"f32",)" + shape + offsets), "found \"f32\""},
      {"shape a number", entry(R"("shape":2,)" + dtype + offsets), "shape: expected a list, found 2"},
      {"negative length", entry(R"("shape":[-2],)" + dtype + offsets), "shape: expected integers from 0"},
      {"minus zero", entry(R"("shape":[-0],)" + dtype + offsets), "shape: expected integers from 0"},
      {"fraction", entry(R"("shape":[2.0],)" + dtype + offsets), "shape: expected integers from 0 to 2^63 - 1, found 2.0"},
      {"exponent", entry(R"("shape":[2e0],)" + dtype + offsets), "shape: expected integers"},
      {"beyond 64 bits", entry(R"("shape":[18446744073709551616],)" + dtype + offsets), "shape: expected integers"},
      {"length as text", entry(R"("shape":["2"],)" + dtype + offsets), "shape: expected integers"},
      {"many axes",
       entry(
           R"("shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],)" +
           dtype + offsets),
       "at most 64 axes, found 65"},
      {"one offset", entry(dtype + shape + R"("data_offsets":[8])"), "data_offsets: expected two integers"},
      {"three offsets", entry(dtype + shape + R"("data_offsets":[0,8,8])"), "data_offsets: expected two integers"},
      {"negative offset", entry(dtype + shape + R"("data_offsets":[-1,7])"), "data_offsets: expected two integers"},
      {"fractional offset", entry(dtype + shape + R"("data_offsets":[0,8.0])"), "data_offsets: expected two integers"},
      {"offset beyond 64 bits", entry(dtype + shape + R"("data_offsets":[0,18446744073709551616])"),
       "data_offsets: expected two integers"},
      {"offsets an object", entry(dtype + shape + R"("data_offsets":{"0":0,"1":8})"), "data_offsets: expected two integers"},
      {"end before begin", entry(dtype + shape + R"("data_offsets":[8,0])"), "expected begin <= end, found [8, 0]"},
  };
  for (const Refused& refused : table) check_refused(refused);
}

TEST_CASE("shapes and offsets must agree, without overflow", "[io]") {
  const Refused table[] = {
      {"too few bytes", entry(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"),
       "shape [3] of F32 takes 12 bytes, its data_offsets hold 8"},
      {"too many bytes", entry(R"("dtype":"F16","shape":[3],"data_offsets":[0,8])"), "takes 6 bytes, its data_offsets hold 8"},
      {"scalar", entry(R"("dtype":"F32","shape":[],"data_offsets":[0,8])"), "shape [] of F32 takes 4 bytes"},
      {"half a byte", entry(R"("dtype":"F4","shape":[15],"data_offsets":[0,8])"), "has 60 bits, expected whole bytes"},
      {"elements overflow", entry(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8])"),
       "does not fit 64 bits"},
      {"bits overflow", entry(R"("dtype":"F64","shape":[576460752303423489],"data_offsets":[0,8])"), "does not fit 64 bits"},
      {"bits overflow to the right size", entry(R"("dtype":"F64","shape":[288230376151711745],"data_offsets":[0,8])"),
       "does not fit 64 bits"},
      {"offsets near the end of 64 bits",
       entry(R"("dtype":"U8","shape":[8],"data_offsets":[18446744073709551607,18446744073709551615])"), ": a gap"},
      {"a tensor of 2^60 bytes", entry(R"("dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,1152921504606846976])"),
       "a truncated download"},
  };
  for (const Refused& refused : table) check_refused(refused);
}

TEST_CASE("the tensors cover the data once, from its first byte to its last", "[io]") {
  const auto two = [](const std::string& a, const std::string& b, size_t data) {
    return safetensors_file(
        R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a + R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
        zeros(data));
  };
  const Refused table[] = {
      {"gap at the start", two("[4,8]", "[8,12]", 12), "tensor a: begins at byte 4 of the data, expected 0: a gap"},
      {"gap between", two("[0,4]", "[5,9]", 9), "tensor b: begins at byte 5 of the data, expected 4: a gap"},
      {"overlap", two("[0,4]", "[3,7]", 7), "tensor b: begins at byte 3 of the data, expected 4: it overlaps"},
      {"alias", two("[0,4]", "[0,4]", 4), "it overlaps another tensor"},
      {"short file", two("[0,4]", "[4,8]", 7), "bytes, its header promises"},
      {"long file", two("[0,4]", "[4,8]", 9), "something follows the tensors"},
      {"data without tensors", safetensors_file("{}", "x"), "the file has 11 bytes, its header promises 10: something follows"},
  };
  for (const Refused& refused : table) check_refused(refused);
  CHECK_NOTHROW(parse_safetensors(bytes_of(two("[4,8]", "[0,4]", 8)), "w", kLimit));
}

TEST_CASE("a truncated download is named with both sizes, wherever it was cut", "[io]") {
  const std::string whole = safetensors_file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8));
  for (size_t size = 8; size < whole.size(); ++size) {
    CAPTURE(size);
    try {
      parse_safetensors(bytes_of(whole.substr(0, size)), "w", kLimit);
      FAIL("accepted");
    } catch (const Error& error) {
      const std::string sentence = error.what();
      CHECK(sentence.find("w: the file has " + std::to_string(size) + " bytes, its header ") == 0);
      CHECK(sentence.find("truncated download") != std::string::npos);
    }
  }
}

TEST_CASE("oddities that the format's own reader accepts are accepted", "[io]") {
  const auto accepted = [](const std::string& file) { return parse_safetensors(bytes_of(file), "folder/w.safetensors", kLimit); };
  SECTION("no tensors") { CHECK(accepted(safetensors_file("{}")).tensors.empty()); }
  SECTION("white space around the header") { CHECK(accepted(safetensors_file(" \t\r\n{ } \n\t  ")).tensors.empty()); }
  SECTION("metadata that is null") { CHECK(accepted(safetensors_file(R"({"__metadata__":null})")).metadata.empty()); }
  SECTION("metadata") {
    const Safetensors read = accepted(safetensors_file(R"({"__metadata__":{"format":"pt","":"\n"}})"));
    CHECK(read.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"", "\n"}});
  }
  SECTION("extra members, an empty name, escapes in names") {
    const Safetensors read = accepted(safetensors_file(
        R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":[{}],"x":1.5},"\u0061\"":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
        "xy"));
    REQUIRE(read.tensors.size() == 2);
    CHECK(read.tensors[0].name.empty());
    CHECK(read.tensors[1].name == "a\"");
    CHECK(read.tensors[1].file == "w.safetensors");
  }
  SECTION("tensors without bytes, at any boundary, with any other lengths") {
    const Safetensors read = accepted(safetensors_file(
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0,1099511627776,1099511627776],"data_offsets":[0,0]},)"
        R"("c":{"dtype":"F32","shape":[1099511627776,1099511627776,0],"data_offsets":[4,4]}})",
        zeros(4)));
    CHECK(read.tensors.size() == 3);
    for (const Tensor& tensor : read.tensors) CHECK(tensor.bytes.size() == (tensor.name == "a" ? 4 : 0));
  }
  SECTION("every type of the format") {
    const std::pair<const char*, int> types[] = {
        {"BOOL", 8},        {"I8", 8},          {"U8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
        {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
        {"I32", 32},        {"U32", 32},        {"F32", 32},    {"I64", 64},    {"U64", 64},    {"F64", 64},
        {"C64", 64},        {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}};
    for (const auto& [code, bits] : types) {
      CAPTURE(code);
      const size_t bytes = static_cast<size_t>(bits);  // of 8 elements
      const Safetensors read = accepted(
          safetensors_file(str(R"({"t":{"dtype":")", code, R"(","shape":[2,4],"data_offsets":[0,)", bytes, "]}}"), zeros(bytes)));
      REQUIRE(read.tensors.size() == 1);
      CHECK(read.tensors[0].dtype_code == code);
      CHECK(read.tensors[0].shape == Shape{2, 4});
      const std::string name = dtype_name(read.tensors[0].dtype);
      CHECK((name == code || name == "other"));
    }
  }
}

TEST_CASE("a large header costs no more than its size", "[io]") {
  // 100,000 names take some tenths of a second; a search of all earlier ones for each would take minutes and hit the test's
  // limit.
  std::string header = "{";
  for (int i = 0; i < 100'000; ++i)
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) +
              "," + std::to_string(i + 1) + "]}";
  const std::string file = safetensors_file(header + "}", zeros(100'000));
  CHECK(parse_safetensors(bytes_of(file), "w", kLimit).tensors.size() == 100'000);
}

}  // namespace
}  // namespace vit
