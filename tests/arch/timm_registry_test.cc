// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "ops/core/error.h"
#include "runtime/arch/nearest_name.h"
#include "runtime/arch/timm_registry.h"
#include "runtime/session.h"
#include "tests/catch.h"

namespace vit {
namespace {

std::string refusal(const std::string& name) {
  try {
    Model::untrained(name);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("every entry of timm's registry that is no hybrid makes a graph", "[arch][long]") {
  const std::vector<std::string> names = timm_entry_names();
  CHECK(names.size() == 173);
  CHECK(timm_hybrid_names().size() == 14);
  for (const std::string& name : names) {
    CAPTURE(name);
    const auto model = Model::untrained(name);
    CHECK(model->config().architecture == name);
    CHECK(model->graph().output(Output::kEmbedding) >= 0);
    CHECK((model->graph().output(Output::kLogits) >= 0) == !model->config().labels.empty());
  }
}

/// The model runs on a picture of four patches and gives numbers.
void check_runs(const Model& model, Session& session) {
  const ModelConfig& c = model.config();
  const int64_t height = 2 * c.patch_height, width = 2 * c.patch_width;
  const std::vector<float> input(static_cast<size_t>(c.channels * height * width), 0.5f);
  session.run(input.data(), 1, height, width, c.labels.empty() ? Output::kEmbedding : Output::kLogits);
  const ResultView result = session.output();
  CHECK(result.shape[result.shape.rank() - 1] == (c.labels.empty() ? c.embed_dim : static_cast<int64_t>(c.labels.size())));
  CHECK(std::all_of(result.data, result.data + result.shape.elements(), [](float x) { return std::isfinite(x); }));
}

int64_t parameters_of(const Graph& graph) {
  int64_t count = 0;
  for (const Node& node : graph.nodes())
    for (const Tensor& weight : node.linear.weight) count += weight.shape.elements();
  return count;
}

// VIT_MOST_PARAMETERS, in millions, 8 unless given, leaves out what takes long or what the memory does not hold (some 8 bytes a
// parameter): 400 is 123 entries in five minutes.
TEST_CASE("entries of timm's registry run with random weights", "[arch][registry][long]") {
  const char* const given = std::getenv("VIT_MOST_PARAMETERS");
  const int64_t most = (given != nullptr ? std::atoll(given) : 8) * 1'000'000;
  size_t ran = 0;
  for (const std::string& name : timm_entry_names()) {
    CAPTURE(name);
    const auto model = Model::untrained(name);
    if (parameters_of(model->graph()) > most) continue;
    Session session(model, {});
    check_runs(*model, session);
    ++ran;
  }
  std::printf("ran: %zu of %zu entries\n", ran, timm_entry_names().size());
  CHECK(ran >= 5);
}

TEST_CASE("a name that is not run is refused with what may have been meant, or with the reason", "[arch]") {
  CHECK(refusal("vit_smal_patch16_224").find("did you mean vit_small_patch16_224") != std::string::npos);
  CHECK(refusal("vit_small_r26_s32_224").find("hybrid") != std::string::npos);
  CHECK(refusal("swin_tiny_patch4_window7_224").find("SwinTransformer") != std::string::npos);
  CHECK(refusal("vit_small_patch16_224.nothing").find("augreg_in21k_ft_in1k") != std::string::npos);
  CHECK(refusal("").find("expected") != std::string::npos);
  CHECK(nearest_names("xyz", {"abcdef"}, 3).empty());
}

TEST_CASE("an untrained model takes another size of the input and of the patch", "[arch]") {
  const auto model = Model::untrained("vit_tiny_patch16_224", {64, 8});
  CHECK(model->config().image_height == 64);
  CHECK(model->config().patch_width == 8);
  Session session(model, {.threads = 1});
  CHECK(session.output_shape(Output::kFeatures, 1, 64, 64) == Shape{1, 65, 192});
  CHECK(Model::untrained("vit_tiny_patch16_224", {0, 32})->config().image_width == 224);
  CHECK_THROWS_AS(Model::untrained("vit_tiny_patch16_224", {16, 32}), Error);
}

TEST_CASE("a tag and an old name choose weights and their number of classes", "[arch]") {
  CHECK(Model::untrained("vit_tiny_patch16_224")->config().labels.size() == 1000);
  CHECK(Model::untrained("vit_tiny_patch16_224.augreg_in21k")->config().labels.size() == 21843);
  CHECK(Model::untrained("vit_tiny_patch16_224_in21k")->config().labels.size() == 21843);
  CHECK(find_timm_entry("vit_base_patch16_224", "a test").tag == "augreg2_in21k_ft_in1k");
}

}  // namespace
}  // namespace vit
