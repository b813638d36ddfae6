// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/checksum.h"

#include <array>
#include <vector>

#include "tests/catch.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// By the definition, a byte at a time: the polynomial of IEEE 802.3, reflected.
uint32_t reference(Bytes bytes) {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t rest = i;
    for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? 0xedb88320u : 0);
    table[i] = rest;
  }
  uint32_t sum = ~0u;
  for (const uint8_t byte : bytes) sum = sum >> 8 ^ table[(sum ^ byte) & 255];
  return ~sum;
}

TEST_CASE("the checksum of a file is its CRC-32, in however many parts it is made", "[io]") {
  const uint8_t digits[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  CHECK(file_checksum(digits) == 0xcbf43926);  // the check value that CRC catalogues give
  CHECK(file_checksum({}) == 0);
  Random random(5);
  const std::vector<uint8_t> file = random.bytes(int64_t{41} << 20);
  for (const size_t size : {size_t{1000}, (size_t{8} << 20) - 1, (size_t{16} << 20) + 5, file.size() - 3}) {
    CAPTURE(size);
    const Bytes bytes(file.data(), size);
    CHECK(file_checksum(bytes) == reference(bytes));
  }
}

}  // namespace
}  // namespace vit
