// SPDX-License-Identifier: Apache-2.0
// For every n: the n-th allocation fails while a picture is decoded; those of the image libraries count, too.
#include <new>

#include "ops/core/error.h"
#include "runtime/image/decode.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/fault/faulty_memory.h"
#include "tests/image/helpers.h"

namespace vit {
namespace {

enum class Outcome { kDecoded, kNoMemory, kOther };

Outcome decode(Bytes file, uint32_t* sum, std::string* sentence) {
  try {
    const Pixels pixels = decode_image(file, "x");
    *sum = crc32({pixels.data.data(), static_cast<size_t>(pixels.data.size())});
    return Outcome::kDecoded;
  } catch (const Error& error) {
    if (error.code() == Code::kMemory) return Outcome::kNoMemory;
    *sentence = error.what();
  } catch (const std::bad_alloc&) {
    return Outcome::kNoMemory;
  } catch (const std::exception& error) {
    *sentence = error.what();
  }
  return Outcome::kOther;
}

TEST_CASE("a picture is refused for want of memory when the n-th allocation fails, and nothing leaks", "[fault]") {
  for (const GoldenLine& line : golden_lines("manifest.txt", "stored")) {
    // libwebp before 1.3.3 follows a pointer that it did not set when memory for its Huffman tables runs out.
    if (line.file.find("lossless") != std::string::npos) continue;
    const std::vector<uint8_t> file = fixture(line.file);
    uint32_t expected = 0, sum = 0;
    std::string sentence(400, ' ');                                         // has its memory before any is refused
    if (decode(file, &expected, &sentence) != Outcome::kDecoded) continue;  // a fixture that is refused anyway
    int64_t refused = 0;
    for (const bool libraries : {true, false}) {  // their memory, then that of our pixels
      int n = 0;
      for (bool reached = true; reached;) {
        CAPTURE(line.file, libraries, ++n);
        REQUIRE(n < 10'000);
        Outcome outcome;
        int64_t alive = 0;
        sentence.assign(400, ' ');
        if (libraries) {
          const FailMalloc failing(n);
          outcome = decode(file, &sum, &sentence);
          reached = failing.reached();
          alive = failing.alive();
        } else {
          const FaultyMemory faulty(n);
          outcome = decode(file, &sum, &sentence);
          reached = FaultyMemory::reached();
          alive = FaultyMemory::alive();
        }
        CAPTURE(sentence);
        refused += outcome == Outcome::kNoMemory;
        // libjpeg asks a second time for less, and goes on.
        CHECK((outcome == Outcome::kDecoded || (reached && outcome == Outcome::kNoMemory)));
        if (outcome == Outcome::kDecoded) CHECK(sum == expected);
        CHECK(alive == 0);
      }
    }
    CAPTURE(line.file);
    CHECK(refused > 0);
  }
}

}  // namespace
}  // namespace vit
