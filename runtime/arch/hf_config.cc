// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/hf_config.h"

#include <tuple>
#include <utility>

#include "ops/core/error.h"
#include "runtime/io/printable.h"
#include "runtime/labels.h"

namespace vit {
namespace {

constexpr int64_t kMostLabels = int64_t{1} << 20;

constexpr std::pair<const char*, Activation> kActivations[] = {
    {"gelu", Activation::kGelu},
    {"gelu_python", Activation::kGelu},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh},
    {"gelu_accurate", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_python_tanh", Activation::kGeluTanh},
    {"quick_gelu", Activation::kQuickGelu},
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
    {"relu", Activation::kRelu},
    {"tanh", Activation::kTanh},
};

/// A field of {height, width}, one number for both, or its default.
std::pair<int64_t, int64_t> read_sides(const JsonFields& config, const std::string& key, int64_t otherwise) {
  return config.pair(key, kSideRange).value_or(std::pair(otherwise, otherwise));
}

/// -1 unless the key is a number as JSON files write it: "0", "17", never "017".
int64_t label_index(const std::string& key) {
  if (key.empty() || key.size() > 7 || (key.size() > 1 && key[0] == '0')) return -1;
  int64_t index = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return -1;
    index = index * 10 + (c - '0');
  }
  return index;
}

void check_sizes(const JsonFields& config, const ModelConfig& m) {
  VIT_CHECK(m.embed_dim % m.num_heads == 0, Code::kModel, config.file(),
            ": num_attention_heads: expected a divisor of hidden_size ", m.embed_dim, ", found ", m.num_heads);
  VIT_CHECK(m.image_height >= m.patch_height && m.image_width >= m.patch_width, Code::kModel, config.file(),
            ": image_size: expected at least one patch of ", m.patch_height, " x ", m.patch_width, ", found ", m.image_height,
            " x ", m.image_width);
}

}  // namespace

HfConfig read_hf_config(const JsonFields& config, const HfDefaults& defaults) {
  HfConfig c;
  ModelConfig& m = c.model;
  m.family = config.text("model_type");
  m.embed_dim = config.integer("hidden_size", kWidthRange, 768);
  m.depth = config.integer("num_hidden_layers", kDepthRange, 12);
  m.num_heads = config.integer("num_attention_heads", kWidthRange, 12);
  m.channels = config.integer("num_channels", {1, 1024}, 3);
  std::tie(m.image_height, m.image_width) = read_sides(config, "image_size", 224);
  std::tie(m.patch_height, m.patch_width) = read_sides(config, "patch_size", defaults.patch_size);
  check_sizes(config, m);
  c.eps = static_cast<float>(config.number("layer_norm_eps", {0, 0.5}, defaults.layer_norm_eps));
  c.activation = read_activation(config, "hidden_act", "gelu");
  c.qkv_bias = config.boolean("qkv_bias", true);
  m.multi_label = config.maybe_text("problem_type") == "multi_label_classification";
  return c;
}

Activation read_activation(const JsonFields& config, const std::string& key, const std::string& otherwise) {
  const std::string name = config.text(key, otherwise);
  std::string known;
  for (const auto& [known_name, kind] : kActivations) {
    if (name == known_name) return kind;
    known += (known.empty() ? "" : ", ") + std::string(known_name);
  }
  config.fail(key, "one of " + known);
}

std::optional<std::string> read_class(const JsonFields& config, std::initializer_list<std::string> classes) {
  const auto names = config.maybe_texts("architectures");
  if (!names || names->empty()) return {};
  std::string known;
  for (const std::string& name : classes) {
    if (names->front() == name) return name;
    known += (known.empty() ? "" : &name == classes.end() - 1 ? " or " : ", ") + name;
  }
  throw Error(Code::kModel, str(config.file(), ": architectures: expected ", known, ", found '", printable(names->front()), "'"));
}

bool read_has_classifier(const JsonFields& config, const WeightStore& store, const std::string& base_class,
                         const std::string& classifier_class) {
  const auto name = read_class(config, {base_class, classifier_class});
  return name ? *name == classifier_class : store.tensors().count("classifier.weight") != 0;
}

std::vector<std::string> read_labels(const JsonFields& config, int64_t classes) {
  const auto count = config.maybe_integer("num_labels", {1, kMostLabels});
  const Json* names = config.find("id2label");
  std::vector<std::string> labels;
  if (names == nullptr || names->is_null()) {
    labels = builtin_labels(count.value_or(classes));
    if (labels.empty())
      for (int64_t i = 0; i < count.value_or(2); ++i) labels.push_back(str("LABEL_", i));
    return labels;
  }
  const std::string expected = "an object of at least one label, with the keys \"0\", \"1\", ...";
  if (!names->is_object() || names->empty() || names->size() > static_cast<size_t>(kMostLabels))
    config.fail("id2label", expected);
  const auto total = static_cast<int64_t>(names->size());
  labels.resize(names->size());
  // Keys are unique and each lies in range, so that none of them is missing either.
  for (const auto& [key, label] : names->items()) {
    const int64_t index = label_index(key);
    VIT_CHECK(index >= 0 && index < total, Code::kModel, config.file(), ": id2label: expected the keys \"0\" to \"", total - 1,
              "\", found \"", printable(key), "\"");
    VIT_CHECK(label.is_string(), Code::kModel, config.file(), ": id2label.", index, ": expected a string, found ", shown(label));
    labels[static_cast<size_t>(index)] = label.get<std::string>();
  }
  VIT_CHECK(!count || *count == total, Code::kModel, config.file(), ": num_labels: expected ", total,
            ", as many as id2label has, found ", count.value_or(0));
  return labels;
}

}  // namespace vit
