// SPDX-License-Identifier: Apache-2.0
// Every layout that the fixtures have, in bfloat16 and 8 bits: norms of heads, SwiGLU, parallel branches, pools, any width of
// heads.
#include <cmath>

#include "quant/policy.h"
#include "runtime/session.h"
#include "tests/arch/models.h"
#include "tests/catch.h"
#include "tests/support/random.h"

namespace vit {

TEST_CASE("every fixture stays near float32 in narrow precisions", "[arch]") {
  for (const std::string& name : fixture_models()) {
    const auto model = Model::open(fixture_folder(name));
    const ModelConfig& c = model->config();
    Random random(5);
    const auto input = random.normals(2 * c.channels * c.image_height * c.image_width);
    for (const Isa isa : usable_isas()) {
      std::vector<float> exact;
      for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) {
        CAPTURE(name, isa_name(isa), precision_name(precision));
        Session session(model, {.threads = 2, .precision = precision, .isa = isa_name(isa)});
        session.run(input.data(), 2, c.image_height, c.image_width, Output::kEmbedding);
        const ResultView result = session.output();
        const std::vector<float> values(result.data, result.data + result.shape.elements());
        if (precision == Precision::kF32) exact = values;
        // The bounds of forward_test.cc, doubled: some of these have three blocks where those have two.
        CHECK(cosine(values, exact) >= 1 - (precision == Precision::kInt8 ? 9e-3 : 9e-5));
      }
    }
  }
}

}  // namespace vit
