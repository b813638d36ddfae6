// SPDX-License-Identifier: Apache-2.0
// 3,000 damaged safetensors files: each loads, or is refused by an Error. Under the sanitizers nothing else happens either.
#include <random>

#include "ops/core/error.h"
#include "runtime/io/model_folder.h"
#include "runtime/io/safetensors.h"
#include "runtime/model.h"
#include "tests/catch.h"
#include "tests/io/bytes.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

using Random = std::mt19937;  // its numbers are the same everywhere, those of the standard's distributions are not

size_t below(Random& random, size_t n) { return n == 0 ? 0 : random() % n; }

std::vector<std::string> whole_files() {
  const std::string mixed =
      R"({"__metadata__":{"format":"pt"},"vit.cls":{"dtype":"F32","shape":[1,1,3],"data_offsets":[0,12]},)"
      R"("vit.w":{"dtype":"F16","shape":[3,2],"data_offsets":[12,24]},"vit.b":{"dtype":"BF16","shape":[5],"data_offsets":[24,34]},)"
      R"("ids":{"dtype":"I64","shape":[1],"data_offsets":[34,42]},"none":{"dtype":"F64","shape":[0,7],"data_offsets":[42,42]},)"
      R"("d":{"dtype":"F64","shape":[],"data_offsets":[42,50]},"nibbles":{"dtype":"F4","shape":[4],"data_offsets":[50,52]}}   )";
  return {safetensors_file(mixed, std::string(52, '\x3c')),
          safetensors_file(R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})", std::string(16, '\x40')),
          safetensors_file("{}")};
}

/// Puts another number where one stands in the header.
void edit_number(std::string& file, Random& random) {
  constexpr const char* kNumbers[] = {"0",
                                      "1",
                                      "2",
                                      "-1",
                                      "8.0",
                                      "1e3",
                                      "255",
                                      "4294967296",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "null",
                                      "[]",
                                      "\"8\"",
                                      "NaN"};
  std::vector<size_t> digits;
  for (size_t i = 8; i < file.size(); ++i)
    if (file[i] >= '0' && file[i] <= '9' && (file[i - 1] < '0' || file[i - 1] > '9')) digits.push_back(i);
  if (digits.empty()) return;
  const size_t at = digits[below(random, digits.size())];
  const size_t end = file.find_first_not_of("0123456789", at);
  file.replace(at, (end == std::string::npos ? file.size() : end) - at, kNumbers[below(random, std::size(kNumbers))]);
}

void mutate(std::string& file, const std::vector<std::string>& others, Random& random) {
  switch (below(random, 7)) {
    case 0: file.resize(below(random, file.size() + 1)); break;
    case 1:
      if (!file.empty()) file[below(random, file.size())] ^= static_cast<char>(1 << below(random, 8));
      break;
    case 2:
      if (!file.empty()) file[below(random, file.size())] = static_cast<char>(random());
      break;
    case 3:
    case 4: edit_number(file, random); break;
    case 5: {  // a piece of another file, over or between what is there
      const std::string& other = others[below(random, others.size())];
      const size_t from = below(random, other.size()), to = below(random, file.size());
      file.replace(to, below(random, 12), other, from, below(random, 40));
      break;
    }
    case 6: {
      const size_t from = below(random, file.size());
      file.erase(from, below(random, 20));
      break;
    }
  }
}

/// Makes the header's length right again, so that damage behind it is reached.
void repair_length(std::string& file) {
  const size_t end = file.rfind('}');
  if (end == std::string::npos || end < 8) return;
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>((end + 1 - 8) >> 8 * i & 255);
}

/// Reads every byte that the tensors name.
float touch(const Tensor& tensor) {
  float sum = 0;
  for (const uint8_t byte : tensor.bytes) sum += byte;
  if (tensor.dtype == DType::kOther) return sum;
  std::vector<float> floats(static_cast<size_t>(tensor.shape.elements()));
  tensor.to_float(0, static_cast<int64_t>(floats.size()), floats.data());
  for (const float x : floats) sum += x;
  return sum;
}

TEST_CASE("3000 damaged safetensors files load or are refused", "[io]") {
  const std::vector<std::string> wholes = whole_files();
  const TempFolder folder;
  folder.write("config.json", "{}");
  Random random(20240229);
  int loaded = 0, refused = 0;
  volatile float sink = 0;
  for (int i = 0; i < 3000; ++i) {
    CAPTURE(i);
    std::string file = wholes[below(random, wholes.size())];
    for (size_t n = 1 + below(random, 3); n > 0; --n) mutate(file, wholes, random);
    if (below(random, 2) == 0) repair_length(file);
    const std::vector<uint8_t> exact(file.begin(), file.end());  // no byte more: a sanitizer sees a read behind the end
    try {
      if (i % 10 == 0) {  // from a folder, now and then
        folder.write("model.safetensors", file);
        const ModelFiles files = open_model_files(folder.path(), ModelOptions{});
        for (const auto& [name, tensor] : files.weights->tensors()) sink = sink + touch(tensor);
      } else {
        for (const Tensor& tensor : parse_safetensors(exact, "w", uint64_t{16} << 20).tensors) sink = sink + touch(tensor);
      }
      ++loaded;
    } catch (const Error& error) {
      ++refused;
      const std::string sentence = error.what();
      if (error.code() != Code::kModel || sentence.empty() || sentence.size() > 600) FAIL_CHECK(sentence);
      for (const char c : sentence)
        if (static_cast<unsigned char>(c) < 0x20) FAIL_CHECK(sentence);
    } catch (const std::exception& other) {
      FAIL_CHECK("not an Error: " << other.what());
    }
  }
  CAPTURE(loaded, refused);
  CHECK(loaded > 50);  // the damage is not so crude that nothing passes the first rule
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace vit
