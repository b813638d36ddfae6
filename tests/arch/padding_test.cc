// SPDX-License-Identifier: Apache-2.0
// dynamic_img_pad: 8-bit pixels and normalised floats whose sides are no multiples of the patch. Floats against timm:
// golden_test.cc.
#include <algorithm>
#include <cmath>

#include "runtime/session.h"
#include "tests/arch/models.h"
#include "tests/catch.h"
#include "tests/support/random.h"

namespace vit {
namespace {

constexpr int64_t kHeight = 29, kWidth = 19;  // patches of 8: a grid of 4 x 3

double cosine(const ResultView& a, const ResultView& b) {
  double ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < a.shape.elements(); ++i) {
    const double x = static_cast<double>(a.data[i]), y = static_cast<double>(b.data[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

TEST_CASE("a patch that the picture does not fill is completed with normalised zeros", "[arch]") {
  const auto model = Model::open(fixture_folder("timm-padded"));
  Random random(3);
  const std::vector<uint8_t> pixels = random.bytes(kHeight * kWidth * 3);
  const Normalisation n = model->recipe().normalisation();
  std::vector<float> planes;
  for (size_t c = 0; c < 3; ++c)
    for (size_t i = c; i < pixels.size(); i += 3) planes.push_back(static_cast<float>(pixels[i] * n.scale[c] + n.shift[c]));
  // The same picture with the zeros written out.
  constexpr int64_t kWholeHeight = 32, kWholeWidth = 24;
  std::vector<float> whole(3 * kWholeHeight * kWholeWidth, 0.0f);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < kHeight; ++y)
      std::copy_n(planes.data() + (c * kHeight + y) * kWidth, kWidth, whole.data() + (c * kWholeHeight + y) * kWholeWidth);

  Session reference(model, {.threads = 1, .isa = isa_name(usable_isas().front()), .taps = {"tokens"}});
  reference.run(whole.data(), 1, kWholeHeight, kWholeWidth, Output::kFeatures);
  for (const Isa isa : usable_isas())
    for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) {
      CAPTURE(isa_name(isa), precision_name(precision));
      Session session(model, {.threads = 2, .precision = precision, .isa = isa_name(isa), .taps = {"tokens"}});
      CHECK(session.output_shape(Output::kFeatures, 1, kHeight, kWidth) == Shape{1, 13, 24});
      // bfloat16 keeps 8 bits of an operand, and so does int8, for which the padding is the nearest of 256 pixels, too: errors of
      // 2^-8 of the largest operand, in sums of 192 terms. A patch that is not completed, or with zeros before normalisation, is
      // wrong by as much as a picture's values.
      const double least = precision == Precision::kF32 ? 1 - 1e-9 : 0.9999;
      session.run(planes.data(), 1, kHeight, kWidth, Output::kFeatures);
      CHECK(cosine(session.tap("tokens"), reference.tap("tokens")) >= least);
      session.run(std::vector<PixelView>{{pixels.data(), kHeight, kWidth, 3 * kWidth}}, Output::kFeatures);
      CHECK(cosine(session.tap("tokens"), reference.tap("tokens")) >= least);
    }
}

}  // namespace
}  // namespace vit
