// SPDX-License-Identifier: Apache-2.0
// Escaping and numbers, where a program is too coarse a probe.
#include "tools/common/text.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/io/json.h"
#include "tests/catch.h"
#include "tests/cli/process.h"

using namespace vit;
using tool::csv_field;
using tool::json_string;
using tool::number;
using tool::visible;

TEST_CASE("any bytes become valid UTF-8 without control characters, and JSON gives valid UTF-8 back", "[cli]") {
  uint32_t seed = 1;
  for (int turn = 0; turn < 3000; ++turn) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) {
      seed = seed * 1664525u + 1013904223u;
      // Many lead and continuation bytes, so that some sequences are right.
      bytes += static_cast<char>((seed >> 30) == 0   ? 0xC2 + (seed >> 8) % 0x33
                                 : (seed >> 30) == 1 ? 0x80 + (seed >> 8) % 0x40
                                                     : (seed >> 8) % 256);
    }
    const std::string json = json_string(bytes);
    const bool clean =
        is_clean_text(visible(bytes)) && is_clean_text(csv_field(bytes)) && is_clean_text(json) && nlohmann::json::accept(json);
    if (clean) continue;
    CAPTURE(turn);
    CHECK(clean);
  }
  const std::string good = "\x01 \x7f \xc2\x80 \xe2\x80\xae \xf4\x8f\xbf\xbf \\ \" \n ";
  CHECK(nlohmann::json::parse(json_string(good)) == good);
}

TEST_CASE("numbers are short, read back as the same float32, and are null when not finite", "[cli]") {
  CHECK(number(0.1f) == "0.1");
  CHECK(number(-0.0f) == "-0");
  CHECK(number(1.0f) == "1");
  CHECK(number(NAN) == "null");
  CHECK(number(-INFINITY) == "null");
  uint32_t bits = 1;
  for (int i = 0; i < 20000; ++i) {
    bits = bits * 1664525u + 1013904223u;
    float value, back = 0;
    std::memcpy(&value, &bits, 4);
    if (!std::isfinite(value)) continue;
    const std::string text = number(value);
    std::from_chars(text.data(), text.data() + text.size(), back);
    if (back == value && nlohmann::json::accept(text)) continue;
    CAPTURE(text);
    CHECK(back == value);
  }
}

TEST_CASE("CSV fields are quoted where RFC 4180 wants it", "[cli]") {
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_field("a,b") == "\"a,b\"");
  CHECK(csv_field("say \"x\"") == "\"say \"\"x\"\"\"");
  CHECK(csv_field("a\nb") == "a\\nb");
  CHECK(csv_field(" a") == "\" a\"");
  CHECK(csv_field("") == "");
}
