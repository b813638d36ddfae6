// SPDX-License-Identifier: Apache-2.0
// Pictures wrong in one place each, every place in turn: cut after each byte, each byte and each field of a header at its edges.
#include <algorithm>

#include "ops/core/error.h"
#include "runtime/image/decode.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"
#include "tests/support/tally.h"

namespace vit {
namespace {

using File = std::vector<uint8_t>;

constexpr uint64_t kMaxPixels = 1 << 16;  // a size that is wrong shall not make the test slow
constexpr size_t kHeaderBytes = 64;

/// Makes the checksums right again, so that damage behind them is reached.
void repair_png(File& file) {
  const auto big_endian = [&](size_t at) {
    return uint32_t{file[at]} << 24 | uint32_t{file[at + 1]} << 16 | uint32_t{file[at + 2]} << 8 | file[at + 3];
  };
  for (size_t at = 8; at + 12 <= file.size();) {
    const uint64_t bytes = big_endian(at), end = at + 8 + bytes;
    if (end + 4 > file.size()) return;
    const uint32_t sum = crc32(Bytes(file).subspan(at + 4, bytes + 4));
    for (size_t i = 0; i < 4; ++i) file[end + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
    at = end + 4;
  }
}

/// The picture decodes within its limits, or one sentence refuses it.
void try_picture(Tally& tally, const File& file) {
  if (!tally.is_new({reinterpret_cast<const char*>(file.data()), file.size()})) return;
  DecodeOptions options;
  options.max_pixels = kMaxPixels;
  const File exact(file.begin(), file.end());
  tally.attempt(Code::kImage, int64_t{12} * static_cast<int64_t>(kMaxPixels), [&] {
    const Pixels pixels = decode_image(exact, "x", options);
    uint64_t sum = 0;  // reads every pixel, for sanitizers that know uninitialised memory
    for (const uint8_t byte : pixels.data) sum += byte;
    const bool fits = pixels.height > 0 && pixels.width > 0 && static_cast<uint64_t>(pixels.height * pixels.width) <= kMaxPixels;
    if (!fits || sum > 255 * 3 * kMaxPixels) FAIL_CHECK(pixels.height << " x " << pixels.width);
  });
}

void try_both(Tally& tally, const File& file, bool png) {
  try_picture(tally, file);
  if (!png) return;
  File repaired = file;
  repair_png(repaired);
  try_picture(tally, repaired);
}

/// Fields of two and of four bytes at `at`, in both byte orders, at their edges.
void try_fields(Tally& tally, const File& file, size_t at, bool png) {
  constexpr uint32_t kEdges[] = {0, 1, 2, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
  for (const size_t bytes : {2, 4})
    for (const uint32_t edge : kEdges)
      for (const bool big : {false, true}) {
        if (at + bytes > file.size() || (bytes == 2 && edge > 0xffff)) continue;
        File changed = file;
        for (size_t i = 0; i < bytes; ++i) changed[at + i] = static_cast<uint8_t>(edge >> 8 * (big ? bytes - 1 - i : i));
        try_both(tally, changed, png);
      }
}

TEST_CASE("pictures that are wrong in one place decode or are refused", "[image][hostile][long]") {
  for (const std::string ending : {".jpg", ".png", ".webp", ".bmp", ".tga", "m"}) {  // "m": .pgm and .ppm
    Tally tally("pictures *" + ending);
    const bool png = ending == ".png";
    std::vector<std::pair<std::string, File>> files;
    for (const GoldenLine& line : golden_lines("manifest.txt", "stored"))
      if (line.file.ends_with(ending)) files.emplace_back(line.file, fixture(line.file));
    std::stable_sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    REQUIRE(!files.empty());
    files.resize(std::min<size_t>(files.size(), 6));  // the smallest ones, where a byte matters most
    for (const auto& [name, file] : files) {
      CAPTURE(name);
      for (size_t at = 0; at < std::min<size_t>(file.size(), 1200); ++at) {
        try_picture(tally, File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(at)));
        for (const int value : {0x00, 0xff, file[at] ^ 0x01, file[at] ^ 0x80}) {
          File changed = file;
          changed[at] = static_cast<uint8_t>(value);
          try_both(tally, changed, png);
        }
        if (at < kHeaderBytes) try_fields(tally, file, at, png);
      }
    }
    CAPTURE(ending);
    CHECK(tally.cases() > 2000);
    CHECK(tally.taken_cases() > 100);
    CHECK(tally.refused_cases() > 500);
  }
}

}  // namespace
}  // namespace vit
