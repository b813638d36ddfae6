// SPDX-License-Identifier: Apache-2.0
// Configurations: defaults, spellings, and refusals that name the field.
#include <string>
#include <vector>

#include "tests/arch/models.h"
#include "tests/catch.h"

namespace vit {
namespace {

bool says(const std::string& sentence, const std::string& part) { return sentence.find(part) != std::string::npos; }

Json json(const std::string& text) { return parse_json(text, "test"); }

struct Refusal {
  const char* model;
  const char* field;
  const char* value;  ///< JSON; nullptr: the field is taken away
  const char* said;   ///< what the sentence must contain, beside the file and the field
};

const Refusal kRefusals[] = {
    // Wrong types, and null where a value is needed.
    {"vit-classifier", "model_type", nullptr, "found no such field"},
    {"vit-classifier", "model_type", "null", "expected a string, found null"},
    {"vit-classifier", "model_type", "7", "expected a string"},
    {"vit-classifier", "model_type", "\"swin\"", "vit, deit, vit_msn, vit_mae, ijepa, dinov2, dinov2_with_registers"},
    {"vit-classifier", "hidden_size", "null", "found null"},
    {"vit-classifier", "hidden_size", "\"72\"", "expected an integer"},
    {"vit-classifier", "hidden_size", "72.5", "found 72.5"},
    {"vit-classifier", "hidden_size", "[72]", "found a list"},
    {"vit-classifier", "num_hidden_layers", "true", "found true"},
    {"vit-classifier", "num_attention_heads", "{}", "found an object"},
    {"vit-classifier", "intermediate_size", "null", "found null"},
    {"vit-classifier", "image_size", "null", "found null"},
    {"vit-classifier", "image_size", "[40]", "a list of two"},
    {"vit-classifier", "image_size", "[40, 40, 3]", "a list of two"},
    {"vit-classifier", "image_size", "{\"height\": 40}", "a list of two"},
    {"vit-classifier", "patch_size", "[8, \"8\"]", "a list of two"},
    {"vit-classifier", "num_channels", "null", "found null"},
    {"vit-classifier", "qkv_bias", "1", "true or false"},
    {"vit-classifier", "hidden_act", "3", "expected a string"},
    {"vit-classifier", "hidden_act", "\"gelu_10\"", "gelu_pytorch_tanh"},
    {"vit-classifier", "layer_norm_eps", "null", "found null"},
    {"vit-classifier", "layer_norm_eps", "\"1e-6\"", "expected a number"},
    {"vit-classifier", "architectures", "\"ViTForImageClassification\"", "a list of strings"},
    {"vit-classifier", "architectures", "[null]", "a list of strings"},
    {"vit-classifier", "architectures", "[\"ViTForMaskedImageModeling\"]", "found 'ViTForMaskedImageModeling'"},
    {"vit-classifier", "architectures", "[\"Dinov2Model\"]", "expected ViTModel or ViTForImageClassification"},
    {"dinov2-classifier", "mlp_ratio", "null", "found null"},
    {"dinov2-classifier", "mlp_ratio", "\"4\"", "expected a number"},
    {"dinov2-classifier", "use_swiglu_ffn", "\"no\"", "true or false"},
    {"dinov2-registers", "num_register_tokens", "null", "found null"},
    // Sizes out of range.
    {"vit-classifier", "hidden_size", "0", "found 0"},
    {"vit-classifier", "hidden_size", "-72", "found -72"},
    {"vit-classifier", "hidden_size", "4000000000", "found 4000000000"},
    {"vit-classifier", "hidden_size", "18446744073709551615", "found 18446744073709551615"},
    {"vit-classifier", "num_hidden_layers", "0", "found 0"},
    {"vit-classifier", "num_hidden_layers", "1000000000", "found 1000000000"},
    {"vit-classifier", "num_attention_heads", "0", "found 0"},
    {"vit-classifier", "intermediate_size", "-1", "found -1"},
    {"vit-classifier", "image_size", "0", "found 0"},
    {"vit-classifier", "image_size", "1000000000", "found 1000000000"},
    {"vit-classifier", "patch_size", "-8", "found -8"},
    {"vit-classifier", "num_channels", "0", "found 0"},
    {"vit-classifier", "layer_norm_eps", "-1e-12", "found -1e-12"},
    {"vit-classifier", "layer_norm_eps", "3", "found 3"},
    {"dinov2-classifier", "mlp_ratio", "0", "an MLP of 1 to"},
    {"dinov2-classifier", "mlp_ratio", "-3", "found -3"},
    {"dinov2-registers", "num_register_tokens", "-1", "found -1"},
    // Sizes that contradict each other.
    {"vit-classifier", "num_attention_heads", "7", "expected a divisor of hidden_size 72, found 7"},
    {"vit-classifier", "image_size", "7", "at least one patch of 8 x 8, found 7 x 7"},
    // Sizes that contradict the tensors.
    {"vit-classifier", "hidden_size", "96", "vit.embeddings.cls_token is expected to be [1, 1, 96], the file has [1, 1, 72]"},
    {"vit-classifier", "patch_size", "4", "the file has [72, 3, 8, 8]"},
    {"vit-classifier", "num_channels", "1", "the file has [72, 3, 8, 8]"},
    {"vit-classifier", "image_size", "48", "the file has [1, 26, 72]"},
    {"vit-classifier", "intermediate_size", "101", "the file has [100, 72]"},
    {"vit-classifier", "num_hidden_layers", "2", "expected 3, since the file has vit.encoder.layer.2."},
    {"vit-classifier", "num_hidden_layers", "4", "expected 3"},
    {"vit-classifier", "qkv_bias", "false", "expected true"},
    {"vit-pooler", "pooler_output_size", "21", "the file has [20, 56]"},
    {"vit-pooler", "pooler_act", "\"sigmoid\"", "expected one of"},
    {"dinov2-classifier", "mlp_ratio", "4", "the file has [144, 48]"},
    {"dinov2-swiglu", "mlp_ratio", "6", "the file has [36, 96]"},
    {"dinov2-registers", "num_register_tokens", "4", "the file has [1, 3, 64]"},
    // Labels.
    {"vit-classifier", "id2label", "[\"a\"]", "an object"},
    {"vit-classifier", "id2label", "{}", "at least one label"},
    {"vit-classifier", "id2label", R"({"0": "a", "1": "b"})", "the file has [5, 72]"},
    {"vit-classifier", "id2label", R"({"0": "a", "2": "b"})", "found \"2\""},
    {"vit-classifier", "id2label", R"({"0": "a", "01": "b"})", "found \"01\""},
    {"vit-classifier", "id2label", R"({"0": "a", "-1": "b"})", "found \"-1\""},
    {"vit-classifier", "id2label", R"({"0": "a", "1": 5})", "expected a string, found 5"},
    {"vit-classifier", "id2label", R"({"0": "a", "99999999999999999999": "b"})", "expected the keys"},
    {"vit-classifier", "num_labels", "4", "expected 5, as many as id2label has, found 4"},
    {"vit-classifier", "num_labels", "0", "found 0"},
};

TEST_CASE("a configuration that cannot be is refused in a sentence that names the field", "[arch]") {
  for (const Refusal& r : kRefusals) {
    Parts parts(r.model);
    parts.config.erase(r.field);
    if (r.value != nullptr) parts.config[r.field] = json(r.value);
    const std::string sentence = parts.refusal();
    CAPTURE(r.model, r.field, r.value ? r.value : "absent", sentence);
    CHECK(says(sentence, "config.json: "));
    CHECK(says(sentence, r.field));
    CHECK(says(sentence, r.said));
    CHECK(sentence.size() < 400);
  }
}

TEST_CASE("fields that a file leaves out have the defaults of their class", "[arch]") {
  // The rest of the configuration is wrong for these tensors, which is how the defaults come to light.
  const auto without_fields = [](const char* model, const char* type) {
    Parts parts(model);
    parts.config = json(std::string("{\"model_type\": \"") + type + "\"}");
    return parts.refusal();
  };
  CHECK(says(without_fields("vit-pooler", "vit"), "num_hidden_layers: expected 2"));
  Parts vit("vit-pooler");
  vit.config = json(R"({"model_type": "vit", "num_hidden_layers": 2})");
  CHECK(says(vit.refusal(), "is expected to be [1, 1, 768]"));
  vit.config["hidden_size"] = 56, vit.config["num_attention_heads"] = 2;
  CHECK(says(vit.refusal(), "is expected to be [56, 3, 16, 16]"));
  vit.config["patch_size"] = 12;
  CHECK(says(vit.refusal(), "is expected to be [1, 325, 56]"));  // 224 / 12 = 18, 18 * 18 + 1
  vit.config["image_size"] = 36;
  CHECK(says(vit.refusal(), "is expected to be [3072, 56]"));
  vit.config["intermediate_size"] = 70;
  CHECK(says(vit.refusal(), "query.bias: expected [56]"));
  vit.config["qkv_bias"] = false;
  CHECK(says(vit.refusal(), "is expected to be [56, 56]"));  // the pooler's default is the model's width
  Parts dinov2("dinov2-swiglu");
  dinov2.config = json(R"({"model_type": "dinov2", "num_hidden_layers": 2, "hidden_size": 36})");
  CHECK(says(dinov2.refusal(), "is expected to be [36, 3, 14, 14]"));
  Parts registers("dinov2-registers");
  registers.config =
      json(R"({"model_type": "dinov2_with_registers", "num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4})");
  CHECK(says(registers.refusal(), "is expected to be [1, 4, 64]"));
  registers.config["num_register_tokens"] = 3;
  CHECK(says(registers.refusal(), "is expected to be [64, 3, 16, 16]"));
}

TEST_CASE("labels come in the order of their numbers, or are counted", "[arch]") {
  Parts parts("vit-classifier");
  parts.config["id2label"] = json(R"({"3": "d", "0": "a", "4": "e\n\u001b[31m", "1": "b", "2": "c"})");
  CHECK(parts.build().config.labels == std::vector<std::string>{"a", "b", "c", "d", "e\n\x1b[31m"});
  parts.config.erase("id2label");
  CHECK(says(parts.refusal(), "is expected to be [2, 72]"));
  parts.config["num_labels"] = 5;
  CHECK(parts.build().config.labels.back() == "LABEL_4");
  parts.config["id2label"] = nullptr;
  CHECK(parts.build().config.labels.size() == 5);
}

TEST_CASE("a file that does not say its class is a classifier when it has one", "[arch]") {
  for (const char* none : {"null", "[]"}) {
    Parts classifier("vit-classifier"), base("vit-pooler");
    classifier.config["architectures"] = base.config["architectures"] = json(none);
    CHECK(classifier.build().config.architecture == "ViTForImageClassification");
    CHECK(base.build().config.architecture == "ViTModel");
  }
}

TEST_CASE("activations have all the names that transformers gives them", "[arch]") {
  struct Case {
    const char* name;
    Activation kind;
  };
  for (const Case& c :
       {Case{"gelu", Activation::kGelu}, Case{"gelu_new", Activation::kGeluTanh}, Case{"gelu_fast", Activation::kGeluTanh},
        Case{"gelu_pytorch_tanh", Activation::kGeluTanh}, Case{"quick_gelu", Activation::kQuickGelu},
        Case{"silu", Activation::kSilu}, Case{"swish", Activation::kSilu}, Case{"relu", Activation::kRelu}}) {
    Parts parts("dinov2-classifier");
    parts.config["hidden_act"] = c.name;
    const BuiltModel built = parts.build();
    CHECK(built.graph.nodes()[static_cast<size_t>(built.graph.find("blocks.2.act"))].activation == c.kind);
  }
}

TEST_CASE("members that are not known are passed over", "[arch]") {
  Parts parts("dinov2-registers");
  parts.config["whatever"] = json(R"([1, {"a": null}])");
  CHECK(parts.refusal() == "");
}

}  // namespace
}  // namespace vit
