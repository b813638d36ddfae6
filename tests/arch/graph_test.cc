// SPDX-License-Identifier: Apache-2.0
// What graphs look like, and what their builder functions refuse.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "ops/core/error.h"
#include "tests/arch/models.h"
#include "tests/catch.h"

namespace vit {
namespace {

Tensor tensor(const std::string& name, const Shape& shape) {
  Tensor t;
  t.name = name;
  t.shape = shape;
  return t;
}

LinearWeights linear(int64_t out, int64_t in) { return {{tensor("weight", {out, in})}, {tensor("bias", {out})}, in, out}; }

LinearWeights patches(int64_t out, int64_t channels, int64_t height, int64_t width) {
  return {{tensor("kernel", {out, channels, height, width})}, {tensor("bias", {out})}, channels * height * width, out};
}

NormWeights norm(int64_t channels) { return {tensor("gamma", {channels}), tensor("beta", {channels})}; }

const Node& named(const Graph& g, const std::string& name) {
  const int id = g.find(name);
  INFO(name);
  REQUIRE(id >= 0);
  return g.nodes()[static_cast<size_t>(id)];
}

std::string refusal(const std::function<void(Graph&, Value)>& build) {
  Graph g;
  const Value rows = g.patch_embed(g.pixels(3), patches(12, 3, 4, 5), 4, 5, "patch_embed");
  try {
    build(g, rows);
  } catch (const Error& error) {
    return error.code() == Code::kModel ? error.what() : "the wrong code";
  }
  return "";
}

TEST_CASE("a ViT's graph has the nodes that users know, in an order in which each follows its inputs", "[arch]") {
  const BuiltModel built = Parts("vit-classifier").build();
  for (size_t i = 0; i < built.graph.nodes().size(); ++i)
    for (const int input : built.graph.nodes()[i].inputs) CHECK(input < static_cast<int>(i));
  for (const char* name : {"patch_embed", "positions", "tokens", "blocks.0.norm1", "blocks.0.qkv", "blocks.0.attention",
                           "blocks.0.proj", "blocks.0.residual1", "blocks.0.norm2", "blocks.0.fc1", "blocks.0.act",
                           "blocks.0.fc2", "blocks.0", "blocks.2", "norm", "pool", "logits", "features", "embedding"})
    CHECK(built.graph.find(name) >= 0);
  CHECK(built.graph.find("blocks.3") == -1);
  CHECK(built.graph.nodes().size() == 4 + 3 * 10 + 3);
  CHECK(named(built.graph, "blocks.1.qkv").channels == 3 * 72);
  CHECK(named(built.graph, "blocks.1.attention").num_heads == 3);
  CHECK(named(built.graph, "blocks.1.fc1").channels == 100);
  CHECK(named(built.graph, "blocks.1.act").activation == Activation::kGeluTanh);
  CHECK(named(built.graph, "norm").eps == 1e-12f);
  CHECK(named(built.graph, "logits").channels == 5);
  CHECK(built.config.labels == std::vector<std::string>{"class 0", "class 1", "class 2", "class 3", "class 4"});
}

TEST_CASE("a ViT without bias of queries, keys and values has none in its graph", "[arch]") {
  const BuiltModel built = Parts("vit-rectangle").build();
  for (const Tensor& bias : named(built.graph, "blocks.0.qkv").linear.bias) CHECK_FALSE(bias);
  CHECK(named(built.graph, "blocks.0.proj").linear.bias[0]);
  CHECK(built.config.patch_height == 8);
  CHECK(built.config.patch_width == 6);
}

TEST_CASE("a DINOv2 with registers has prefix tokens of which only the first has a position", "[arch]") {
  const BuiltModel built = Parts("dinov2-registers").build();
  const std::vector<PrefixToken>& prefix = named(built.graph, "tokens").prefix;
  REQUIRE(prefix.size() == 4);
  CHECK(prefix[0].kind == TokenKind::kClass);
  CHECK(prefix[0].position);
  for (int64_t r = 0; r < 3; ++r) {
    CHECK(prefix[static_cast<size_t>(r + 1)].kind == TokenKind::kRegister);
    CHECK(prefix[static_cast<size_t>(r + 1)].value_row == r);
    CHECK_FALSE(prefix[static_cast<size_t>(r + 1)].position);
  }
  CHECK(named(built.graph, "blocks.0.scale1").scale.name == "dinov2_with_registers.encoder.layer.0.layer_scale1.lambda1");
  CHECK(named(built.graph, "pool").channels == 2 * 64);
  CHECK(named(built.graph, "patch_mean").row_kind == TokenKind::kPatch);
}

TEST_CASE("positions keep the rule of the class that stored them", "[arch]") {
  const auto rule = [](const char* model) {
    const BuiltModel built = Parts(model).build();
    return named(built.graph, "positions").positions;
  };
  CHECK_FALSE(rule("vit-classifier").rule.antialias);
  CHECK_FALSE(rule("dinov2-classifier").rule.antialias);
  CHECK(rule("dinov2-registers").rule.antialias);
  CHECK(rule("vit-rectangle").rule.native_height == 3);
  CHECK(rule("vit-rectangle").rule.native_width == 9);
  // A rectangle of 2 x 8 that is seen as a square even at its own size.
  CHECK(rule("dinov2-registers").grid_height == 4);
  CHECK(rule("dinov2-registers").rule.native_height == 0);
}

TEST_CASE("a packed SwiGLU is a linear layer of twice the width and a gate", "[arch]") {
  const BuiltModel built = Parts("dinov2-swiglu").build();
  CHECK(built.config.mlp_dim == 96);  // (36 * 4 * 2 / 3) rounded up to a multiple of 8
  CHECK(named(built.graph, "blocks.0.fc1").channels == 192);
  CHECK(named(built.graph, "blocks.0.act").kind == NodeKind::kGatedActivation);
  CHECK(named(built.graph, "blocks.0.act").activation == Activation::kSilu);
}

TEST_CASE("a base ViT's embedding is its pooler's output", "[arch]") {
  const BuiltModel built = Parts("vit-pooler").build();
  const Node& embedding = named(built.graph, "embedding");
  CHECK(embedding.activation == Activation::kTanh);
  CHECK(embedding.channels == 20);
  CHECK(embedding.domain == Domain::kImages);
  CHECK(built.config.labels.empty());
}

TEST_CASE("builder functions refuse what does not fit, and say which node it is", "[arch]") {
  struct Case {
    const char* what;
    std::function<void(Graph&, Value)> build;
  };
  const std::vector<Case> cases{
      {"two nodes of one name", [](Graph& g, Value x) { g.activation(x, Activation::kGelu, "patch_embed"); }},
      {"no name", [](Graph& g, Value x) { g.activation(x, Activation::kGelu, ""); }},
      {"patches of patches", [](Graph& g, Value x) { g.patch_embed(x, patches(8, 12, 2, 2), 2, 2, "bad"); }},
      {"a kernel of another size", [](Graph& g, Value) { g.patch_embed(Value{0}, patches(8, 3, 4, 4), 4, 5, "bad"); }},
      {"a norm of another width", [](Graph& g, Value x) { g.layer_norm(x, norm(11), 1e-6f, "bad"); }},
      {"a negative epsilon", [](Graph& g, Value x) { g.layer_norm(x, norm(12), -1e-6f, "bad"); }},
      {"a matrix of another width", [](Graph& g, Value x) { g.linear(x, linear(7, 13), "bad"); }},
      {"a bias of another length",
       [](Graph& g, Value x) {
         LinearWeights w = linear(7, 12);
         w.bias[0].shape = Shape{8};
         g.linear(x, w, "bad");
       }},
      {"pixels as rows", [](Graph& g, Value) { g.linear(Value{0}, linear(7, 3), "bad"); }},
      {"an odd gate", [](Graph& g, Value x) { g.gated_activation(g.linear(x, linear(7, 12), "odd"), Activation::kSilu, "bad"); }},
      {"heads that do not divide", [](Graph& g, Value x) { g.attention(x, 3, "bad"); }},
      {"no heads", [](Graph& g, Value x) { g.attention(x, 0, "bad"); }},
      {"attention over images", [](Graph& g, Value x) { g.attention(g.mean_rows(x, TokenKind::kPatch, "m"), 2, "bad"); }},
      {"a scale of another length", [](Graph& g, Value x) { g.scale(x, tensor("gamma", {13}), "bad"); }},
      {"a sum of two widths", [](Graph& g, Value x) { g.add(x, g.linear(x, linear(7, 12), "l"), "bad"); }},
      {"a sum of rows and images", [](Graph& g, Value x) { g.add(x, g.mean_rows(x, TokenKind::kPatch, "m"), "bad"); }},
      {"a class token that is not there", [](Graph& g, Value x) { g.select_row(x, TokenKind::kClass, "bad"); }},
      {"a row that the tokens do not have",
       [](Graph& g, Value x) {
         g.prepend_tokens(x, {{TokenKind::kRegister, tensor("t", {1, 2, 12}), 2, {}, 0}}, "bad");
       }},
      {"too few positions",
       [](Graph& g, Value x) {
         g.add_positions(x, {tensor("t", {1, 12, 12}), 1, 4, 3, {}}, "bad");
       }},
      {"positions beyond all sizes",
       [](Graph& g, Value x) {
         g.add_positions(x, {tensor("t", {1, 12, 12}), 1, INT64_MAX, INT64_MAX, {}}, "bad");
       }},
  };
  for (const Case& c : cases) {
    const std::string sentence = refusal(c.build);
    CAPTURE(c.what, sentence);
    CHECK_FALSE(sentence.empty());
    CHECK(sentence != "the wrong code");
  }
  CHECK(refusal([](Graph& g, Value x) { g.linear(x, linear(7, 13), "blocks.3.fc1"); }) ==
        "blocks.3.fc1: the input has 12 channels, the weights read 13");
}

}  // namespace
}  // namespace vit
