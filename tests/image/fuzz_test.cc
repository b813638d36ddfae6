// SPDX-License-Identifier: Apache-2.0
// Damaged files: each decodes or throws Error. Memory errors are for the sanitizers to see.
#include "ops/core/error.h"
#include "runtime/image/decode.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// One to four changes: a byte, a run of bytes, a cut, a piece that moves.
std::vector<uint8_t> mutated(std::vector<uint8_t> file, Random& random) {
  const int64_t changes = 1 + random.below(4);
  for (int64_t i = 0; i < changes && file.size() > 4; ++i) {
    const auto any = [&] { return static_cast<std::ptrdiff_t>(random.below(static_cast<int64_t>(file.size()))); };
    const std::ptrdiff_t at = any(), other = any();
    const std::ptrdiff_t run =
        std::min<std::ptrdiff_t>(1 + static_cast<std::ptrdiff_t>(random.below(8)), std::ssize(file) - std::max(at, other));
    switch (random.below(6)) {
      case 0: file[static_cast<size_t>(at)] ^= static_cast<uint8_t>(1 << random.below(8)); break;
      case 1: file[static_cast<size_t>(at)] = static_cast<uint8_t>(random.below(2) ? 0xff : 0); break;
      case 2: file.resize(static_cast<size_t>(at) + 1); break;
      case 3:
        std::copy_n(std::vector<uint8_t>(file.begin() + at, file.begin() + at + run).begin(), run, file.begin() + other);
        break;
      case 4: file.erase(file.begin() + at, file.begin() + at + run); break;
      default: file[static_cast<size_t>(at)] = static_cast<uint8_t>(random.bits()); break;
    }
  }
  return file;
}

TEST_CASE("a thousand damaged images of each format decode or are refused", "[image]") {
  std::vector<std::pair<std::string, std::vector<uint8_t>>> files;
  for (const GoldenLine& line : golden_lines("manifest.txt", "stored")) files.emplace_back(line.file, fixture(line.file));
  const auto tiny = [](PixelSize) { return PixelSize{3, 3}; };
  for (const char* ending : {".jpg", ".png", ".webp", ".bmp", ".tga", "m"}) {  // "m": .pgm and .ppm
    std::vector<const std::pair<std::string, std::vector<uint8_t>>*> some;
    for (const auto& file : files)
      if (file.first.ends_with(ending)) some.push_back(&file);
    REQUIRE(!some.empty());
    Random random(17);
    DecodeOptions options;
    options.max_pixels = 1 << 20;  // a mutated header shall not make the test slow
    int decoded = 0, refused = 0;
    for (int n = 0; n < 1000; ++n) {
      const auto& [name, original] = *some[static_cast<size_t>(random.below(std::ssize(some)))];
      const std::vector<uint8_t> file = mutated(original, random);
      CAPTURE(name, n);
      try {
        options.needed = n % 2 == 0 ? std::function<PixelSize(PixelSize)>{} : tiny;
        const Pixels pixels = decode_image(file, "x", options);
        uint64_t sum = 0;  // reads every pixel, for sanitizers that know uninitialised memory
        for (const uint8_t byte : pixels.data) sum += byte;
        decoded += sum < UINT64_MAX;
      } catch (const Error& error) {
        ++refused;
        CHECK((error.code() == Code::kImage || error.code() == Code::kMemory));
      }
    }
    CAPTURE(ending);
    CHECK(decoded + refused == 1000);
    CHECK(decoded > 10);
    CHECK(refused > 10);
  }
}

}  // namespace
}  // namespace vit
