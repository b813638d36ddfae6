// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/resize.h"

#include <string>

#include "ops/core/error.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// The whole picture, resized.
ResizeJob whole(const std::vector<uint8_t>& rgb, PixelSize from, PixelSize to, Filter filter) {
  ResizeJob job;
  job.image = {rgb.data(), from.height, from.width, from.width * 3};
  job.size = to;
  job.rows = {0, to.height};
  job.columns = {0, to.width};
  job.filter = filter;
  return job;
}

Pixels run(const ResizeJob& job, Isa isa) {
  Pixels out(job.rows.size(), job.columns.size());
  resize(job, kernels(isa), out.data.data(), out.width * 3);
  return out;
}

/// Gray values as RGB pixels.
std::vector<uint8_t> as_rgb(const std::vector<uint8_t>& gray) {
  std::vector<uint8_t> rgb;
  for (const uint8_t value : gray) rgb.insert(rgb.end(), 3, value);
  return rgb;
}

struct Published {
  int64_t from, to;
  Filter filter;
  std::vector<int> quarter;  ///< the top left one, row by row
};

TEST_CASE("the tables of Pillow's own tests are met on every instruction set", "[image]") {
  const std::vector<Published> tables = {
      {8, 4, Filter::kBox, {0xe1, 0xe1, 0xe1, 0xe1}},
      {8, 4, Filter::kBilinear, {0xe1, 0xc9, 0xc9, 0xb7}},
      {8, 4, Filter::kHamming, {0xe1, 0xda, 0xda, 0xd3}},
      {12, 6, Filter::kBicubic, {0xe1, 0xe3, 0xd4, 0xe3, 0xe5, 0xd6, 0xd4, 0xd6, 0xc9}},
      {16, 8, Filter::kLanczos, {0xe1, 0xe0, 0xe4, 0xd7, 0xe0, 0xdf, 0xe3, 0xd6, 0xe4, 0xe3, 0xe7, 0xda, 0xd7, 0xd6, 0xd9, 0xce}},
      {2, 4, Filter::kBox, {0xe1, 0xe1, 0xe1, 0xe1}},
      {2, 4, Filter::kBilinear, {0xe1, 0xb0, 0xb0, 0x98}},
      {2, 4, Filter::kHamming, {0xe1, 0xd2, 0xd2, 0xc5}},
      {4, 8, Filter::kBicubic, {0xe1, 0xe5, 0xee, 0xb9, 0xe5, 0xe9, 0xf3, 0xbc, 0xee, 0xf3, 0xfd, 0xc1, 0xb9, 0xbc, 0xc1, 0xa2}},
      {6, 12, Filter::kLanczos, {0xe1, 0xe0, 0xdb, 0xed, 0xf5, 0xb8, 0xe0, 0xdf, 0xda, 0xec, 0xf3, 0xb7,
                                 0xdb, 0xdb, 0xd6, 0xe7, 0xee, 0xb5, 0xed, 0xec, 0xe6, 0xfb, 0xff, 0xbf,
                                 0xf5, 0xf4, 0xee, 0xff, 0xff, 0xc4, 0xb8, 0xb7, 0xb4, 0xbf, 0xc4, 0xa0}},
  };
  for (const Isa isa : usable_isas())
    for (const Published& table : tables) {
      CAPTURE(isa_name(isa), table.from, table.to, filter_name(table.filter));
      std::vector<uint8_t> gray;
      for (int64_t y = 0; y < table.from; ++y)
        for (int64_t x = 0; x < table.from; ++x) gray.push_back((2 * y < table.from) == (2 * x < table.from) ? 0xe1 : 0x1e);
      const Pixels out = run(whole(as_rgb(gray), {table.from, table.from}, {table.to, table.to}, table.filter), isa);
      const int64_t half = table.to / 2;
      for (int64_t y = 0; y < half; ++y)
        for (int64_t x = 0; x < half; ++x)
          for (int64_t c = 0; c < 3; ++c) {
            const int want = table.quarter[static_cast<size_t>(y * half + x)];
            const int64_t mirror = table.to - 1;
            CHECK(out.row(y)[3 * x + c] == want);
            CHECK(out.row(mirror - y)[3 * (mirror - x) + c] == want);
            CHECK(out.row(y)[3 * (mirror - x) + c] == 255 - want);
            CHECK(out.row(mirror - y)[3 * x + c] == 255 - want);
          }
    }
}

TEST_CASE("one channel of a generated picture gives the published bytes", "[image]") {
  const std::vector<uint8_t> source = as_rgb(generated(7 * 11, 1));
  const std::vector<std::pair<Filter, std::string>> published = {
      {Filter::kBox, "68928f724e7177a2e7426c55997c881d8c7a9da9"},
      {Filter::kBilinear, "6f878c7e5065899bae5a7064a88294347d839aa4"},
      {Filter::kHamming, "6a8a8b7c5356858cc04c7260b57c85268e82a1a0"},
      {Filter::kBicubic, "6d8a8b7b4c638f9ebb51745fad81992a817b9aa8"},
      {Filter::kLanczos, "6a898779496297a4bf4e7459af7ca127817598ab"},
  };
  for (const auto& [filter, want] : published) {
    CAPTURE(filter_name(filter));
    const Pixels out = run(whole(source, {7, 11}, {4, 5}, filter), usable_isas().back());
    std::string hex;
    for (int64_t i = 0; i < 20; ++i)
      for (const int nibble : {out.data[3 * i] >> 4, out.data[3 * i] & 15}) hex += "0123456789abcdef"[nibble];
    CHECK(hex == want);
  }
}

TEST_CASE("a window is that part of the whole, inside its buffer, from rows with a stride", "[image]") {
  Random random(4);
  for (int n = 0; n < 150; ++n) {
    const auto side = [&] { return 1 + random.below(n % 3 == 0 ? 200 : 40); };
    const PixelSize from = {side(), side()}, to = {n % 7 == 0 ? from.height : side(), n % 11 == 0 ? from.width : side()};
    const Filter filter = static_cast<Filter>(n % 6);
    const Isa isa = usable_isas()[static_cast<size_t>(n) % usable_isas().size()];
    CAPTURE(n, from.height, from.width, to.height, to.width, filter_name(filter), isa_name(isa));
    const std::vector<uint8_t> source = random.bytes(from.height * from.width * 3);
    ResizeJob job = whole(source, from, to, filter);
    job.order = n % 2 ? PillowOrder::k13 : PillowOrder::kClassic;
    const Pixels all = run(job, isa);

    const int64_t stride = from.width * 3 + 5;
    Guarded<uint8_t> spaced((from.height - 1) * stride + from.width * 3, 1);
    for (int64_t y = 0; y < from.height; ++y)
      std::copy_n(source.data() + y * from.width * 3, from.width * 3, spaced.data() + y * stride);
    job.image = {spaced.data(), from.height, from.width, stride};
    job.rows.begin = random.below(to.height);
    job.rows.end = job.rows.begin + 1 + random.below(to.height - job.rows.begin);
    job.columns.begin = random.below(to.width);
    job.columns.end = job.columns.begin + 1 + random.below(to.width - job.columns.begin);
    const int64_t row_bytes = job.columns.size() * 3, out_stride = row_bytes + 7;
    Guarded<uint8_t> part((job.rows.size() - 1) * out_stride + row_bytes, 1);
    resize(job, kernels(isa), part.data(), out_stride);

    CHECK(part.guards_intact());
    bool equal = true;
    for (int64_t y = 0; y < job.rows.size(); ++y)
      equal &= std::equal(part.data() + y * out_stride, part.data() + y * out_stride + row_bytes,
                          all.row(job.rows.begin + y) + 3 * job.columns.begin);
    CHECK(equal);
  }
}

TEST_CASE("thin pictures stay within the scratch or are refused in a sentence", "[image]") {
  const std::vector<uint8_t> line = generated(65500 * 3, 3);
  for (const PixelSize from : {PixelSize{1, 65500}, PixelSize{65500, 1}}) {
    CAPTURE(from.height, from.width);
    ResizeJob job = whole(line, from, {224, 224}, Filter::kLanczos);
    job.max_scratch_bytes =
        4 << 20;  // the weights of an axis of 65500 pixels: 1.6 MB; a block of 16 rows as wide as a reach: 0.1 MB
    const Pixels squashed = run(job, usable_isas().back());
    CHECK(squashed.height == 224);

    // Shortest edge to 256, then a crop: the whole would be 16 million pixels long.
    job.size = from.height == 1 ? PixelSize{256, 65500 * 256} : PixelSize{65500 * 256, 256};
    const int64_t middle = 65500 * 128;
    (from.height == 1 ? job.columns : job.rows) = {middle - 112, middle + 112};
    (from.height == 1 ? job.rows : job.columns) = {16, 240};
    const Pixels cropped = run(job, usable_isas().back());
    CHECK(cropped.width == 224);

    job.max_scratch_bytes = 1000;
    CHECK_THROWS_AS(run(job, usable_isas().back()), Error);
    job = whole(line, from, {224, 224}, Filter::kLanczos);
    job.max_intermediate_pixels = 100;
    CHECK_THROWS_AS(run(job, usable_isas().back()), Error);
  }
}

}  // namespace
}  // namespace vit
