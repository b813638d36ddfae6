// SPDX-License-Identifier: Apache-2.0
// Names under which tensors are found, and what is said about those that are missing, left over or misshapen.
#include <string>
#include <vector>

#include "tests/arch/models.h"
#include "tests/catch.h"

namespace vit {
namespace {

size_t replace_in_names(Parts& parts, const std::string& from, const std::string& to) {
  size_t changed = 0;
  for (Tensor& tensor : parts.tensors) {
    const size_t at = tensor.name.find(from);
    if (at == std::string::npos) continue;
    tensor.name.replace(at, from.size(), to);
    ++changed;
  }
  return changed;
}

/// What may be missing or misshapen, since nobody reads it.
bool is_spare(const std::string& name) { return name.find("mask_token") != std::string::npos || name.starts_with("decoder."); }

/// What timm leaves out of a checkpoint: parts that are no image tower's.
bool is_left_out(const std::string& name) {
  for (const char* part : {"logit_scale", "token_embedding", "text_encoder.", ".B.", "text_embed"})
    if (name.find(part) != std::string::npos) return true;
  return is_spare(name);
}

bool says(const std::string& sentence, const std::string& part) { return sentence.find(part) != std::string::npos; }

TEST_CASE("a tensor that is taken away is named, whichever it is", "[arch]") {
  const std::string model = GENERATE(from_range(fixture_models()));
  for (const Tensor& tensor : Parts(model).tensors) {
    if (is_spare(tensor.name)) continue;
    Parts parts(model);
    parts.remove(tensor.name);
    const std::string sentence = parts.refusal();
    CAPTURE(model, tensor.name, sentence);
    // Without one of the pooler's tensors the other one is still a pooler.
    CHECK(says(sentence, tensor.name + ": expected ["));
    CHECK(says(sentence, "the file has no such tensor"));
  }
}

TEST_CASE("a misshapen tensor is named with what was expected and what was found", "[arch]") {
  const std::string model = GENERATE(from_range(fixture_models()));
  for (size_t i = 0; i < Parts(model).tensors.size(); ++i) {
    Parts parts(model);
    Tensor& tensor = parts.tensors[i];
    if (is_spare(tensor.name)) continue;
    std::vector<int64_t> dims = tensor.shape.dims();
    dims.back() += 1;
    const Shape expected = tensor.shape;
    tensor.shape = Shape(dims);
    const std::string name = tensor.name, sentence = parts.refusal();
    CAPTURE(model, name, sentence);
    CHECK(says(sentence, name));
    std::ostringstream expected_text, found_text;
    expected_text << expected, found_text << Shape(dims);
    CHECK(says(sentence, expected_text.str()));
    CHECK(says(sentence, found_text.str()));
  }
}

TEST_CASE("a tensor that nobody asks for is named", "[arch]") {
  const std::string model = GENERATE(from_range(fixture_models()));
  for (const char* name :
       {"extra", "vit.extra", "encoder.layer.0.extra.weight", "vit.encoder.layer.77.extra", "classifier.extra"}) {
    Parts parts(model);
    parts.add(name, {3});
    const std::string sentence = parts.refusal();
    CAPTURE(model, name, sentence);
    CHECK(says(sentence, std::string(name)));
  }
}

TEST_CASE("a checkpoint of another project is refused without any one of its tensors, and with any one misshapen", "[arch]") {
  const std::string name = GENERATE(from_range(fixture_checkpoints()));
  const std::vector<Tensor> all = Parts(name).tensors;
  size_t refused = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    Parts without(name), flat(name), longer(name);
    CAPTURE(name, all[i].name);
    without.remove(all[i].name);
    refused += !without.refusal().empty();
    flat.tensors[i].shape = Shape{all[i].shape.elements(), 1, 1, 1, 1};
    CHECK((!flat.refusal().empty() || is_left_out(all[i].name)));
    std::vector<int64_t> dims = all[i].shape.dims();
    dims.insert(dims.begin(), 2);  // twice the elements that it has: only a look at the shape can refuse it
    longer.tensors[i].shape = Shape(dims);
    CHECK((!longer.refusal().empty() || is_left_out(all[i].name)));
  }
  const auto left_out = std::count_if(all.begin(), all.end(), [](const Tensor& tensor) { return is_left_out(tensor.name); });
  CHECK(refused + static_cast<size_t>(left_out) >= all.size());
}

TEST_CASE("integer weights are refused with their type", "[arch]") {
  Parts parts("vit-classifier");
  Tensor& tensor = parts.tensor("vit.encoder.layer.1.output.dense.weight");
  tensor.dtype = DType::kOther;
  tensor.dtype_code = "I8";
  CHECK(parts.refusal() == "vit.encoder.layer.1.output.dense.weight: expected a floating-point type, the file has I8");
}

TEST_CASE("what a family knows and does not need may be there", "[arch]") {
  Parts vit("vit-classifier");
  vit.add("vit.pooler.dense.weight", {72, 72});
  vit.add("vit.pooler.dense.bias", {72});
  vit.add("vit.embeddings.mask_token", {1, 1, 72});
  vit.add("vit.embeddings.position_ids", {1, 26});
  CHECK(vit.refusal() == "");
  Parts dinov2("dinov2-classifier");
  dinov2.remove("dinov2.embeddings.mask_token");
  CHECK(dinov2.refusal() == "");
}

TEST_CASE("base models are read with and without their prefix", "[arch]") {
  Parts vit("vit-pooler");
  for (Tensor& tensor : vit.tensors) tensor.name = "vit." + tensor.name;
  CHECK(vit.refusal() == "");
  Parts classifier("dinov2-registers");
  CHECK(replace_in_names(classifier, "dinov2_with_registers.", "") > 0);
  CHECK(classifier.refusal() == "");
}

TEST_CASE("layers are found with the body's prefix and without it", "[arch]") {
  Parts parts("vit-msn");
  CHECK(replace_in_names(parts, "encoder.layer.", "vit.encoder.layer.") > 0);
  CHECK(parts.refusal() == "");
  parts.config["num_hidden_layers"] = 3;
  CHECK(says(parts.refusal(), "since the file has no vit.encoder.layer.2"));
}

TEST_CASE("DeiT's class is told by its tensors where the configuration does not name it", "[arch]") {
  for (const std::string model : {"deit-teacher", "deit-classifier", "deit-pooler"}) {
    Parts parts(model);
    const std::string architecture = parts.build().config.architecture;
    parts.config.erase("architectures");
    CHECK(parts.build().config.architecture == architecture);
  }
}

TEST_CASE("a base model whose file has no pooler embeds by the class token", "[arch]") {
  Parts parts("vit-pooler");
  parts.remove("pooler.dense.weight");
  parts.remove("pooler.dense.bias");
  const BuiltModel built = parts.build();
  CHECK(built.graph.output(Output::kEmbedding) == built.graph.find("pool"));
}

TEST_CASE("names as transformers 5 has them in memory mean the same", "[arch]") {
  const std::string model =
      GENERATE("vit-classifier", "vit-rectangle", "dinov2-classifier", "dinov2-registers", "deit-teacher", "vit-msn", "vit-mae");
  Parts parts(model);
  const size_t nodes = parts.build().graph.nodes().size();
  CHECK(replace_in_names(parts, "attention.attention.query", "attention.q_proj") > 0);
  CHECK(replace_in_names(parts, "attention.attention.key", "attention.k_proj") > 0);
  CHECK(replace_in_names(parts, "attention.attention.value", "attention.v_proj") > 0);
  CHECK(replace_in_names(parts, "attention.output.dense", "attention.o_proj") > 0);
  replace_in_names(parts, "intermediate.dense", "mlp.fc1");
  replace_in_names(parts, ".output.dense", ".mlp.fc2");
  CHECK(replace_in_names(parts, "encoder.layer.", "layers.") > 0);
  CAPTURE(parts.refusal());
  CHECK(parts.build().graph.nodes().size() == nodes);
}

TEST_CASE("gate and value may come from two layers", "[arch]") {
  Parts parts("dinov2-swiglu");
  for (const std::string layer : {"encoder.layer.0.mlp.", "encoder.layer.1.mlp."}) {
    parts.remove(layer + "weights_in.weight");
    parts.remove(layer + "weights_in.bias");
    for (const char* half : {"gate_proj", "up_proj"}) {
      parts.add(layer + half + ".weight", {96, 36});
      parts.add(layer + half + ".bias", {96});
    }
    parts.rename(layer + "weights_out.weight", layer + "down_proj.weight");
    parts.rename(layer + "weights_out.bias", layer + "down_proj.bias");
  }
  CAPTURE(parts.refusal());
  const BuiltModel built = parts.build();
  const Node& fc1 = built.graph.nodes()[static_cast<size_t>(built.graph.find("blocks.1.fc1"))];
  REQUIRE(fc1.linear.weight.size() == 2);
  CHECK(fc1.linear.weight[0].name == "encoder.layer.1.mlp.gate_proj.weight");
}

TEST_CASE("norms may carry their names of TensorFlow", "[arch]") {
  Parts parts("vit-classifier");
  for (const std::string norm : {"vit.layernorm", "vit.encoder.layer.1.layernorm_before"}) {
    parts.rename(norm + ".weight", norm + ".gamma");
    parts.rename(norm + ".bias", norm + ".beta");
  }
  CHECK(parts.refusal() == "");
}

}  // namespace
}  // namespace vit
