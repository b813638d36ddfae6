// SPDX-License-Identifier: Apache-2.0
// Every layout that the fixtures have, in bfloat16 and 8 bits: norms of heads, SwiGLU, parallel branches, pools, any width of
// heads.
#include <cmath>
#include <cstring>

#include "ops/core/file.h"
#include "quant/policy.h"
#include "runtime/session.h"
#include "tests/arch/models.h"
#include "tests/catch.h"
#include "tests/support/random.h"

namespace vit {
namespace {

/// The fixture of parallel branches with channel 3 of its norms so many times as large, and the weights behind it so much
/// smaller.
struct ParallelWithOutlier {
  std::vector<uint8_t> config = read_file(fixture_folder("timm-parallel") + "/config.json", 1 << 20);
  std::vector<uint8_t> weights = read_file(fixture_folder("timm-parallel") + "/model.safetensors", 1 << 20);
  std::shared_ptr<const Model> model = open();

  explicit ParallelWithOutlier(float factor) {
    for (const auto& [name, tensor] : model->weights().tensors()) {
      const bool norm = name.find(".in_norm.") != std::string::npos;
      if (!norm && name.find(".in_proj.weight") == std::string::npos) continue;
      const int64_t width = tensor.shape[tensor.shape.rank() - 1], fc1_rows = norm ? 0 : 2 * width;
      for (int64_t i = fc1_rows * width + 3; i < tensor.shape.elements(); i += width) {
        uint8_t* place = weights.data() + (tensor.bytes.data() - weights.data()) + i * int64_t{sizeof(float)};
        float value;
        std::memcpy(&value, place, sizeof value);
        value *= norm ? factor : 1 / factor;
        std::memcpy(place, &value, sizeof value);
      }
    }
    model = open();
  }

 private:
  std::shared_ptr<const Model> open() const {
    return Model::open("parallel", {{"config.json", config}, {"model.safetensors", weights}});
  }
};

}  // namespace

TEST_CASE("a norm that two layers read gives none of its channels to one of them", "[arch]") {
  const ParallelWithOutlier parallel(100);
  Random random(5);
  const auto input = random.normals(3 * 16 * 16);
  for (const Isa isa : usable_isas()) {
    CAPTURE(isa_name(isa));
    const auto run = [&](Precision precision) {
      Session session(parallel.model, {.threads = 1, .precision = precision, .isa = isa_name(isa), .taps = {"blocks.0.fc1"}});
      session.run(input.data(), 1, 16, 16, Output::kEmbedding);
      const ResultView result = session.tap("blocks.0.fc1");
      return std::vector<float>(result.data, result.data + result.shape.elements());
    };
    // A channel divided for qkv, which is nearly all that fc1 sees, would leave no likeness. The bound of the test below.
    CHECK(cosine(run(Precision::kInt8), run(Precision::kF32)) >= 1 - 9e-3);
  }
}

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
