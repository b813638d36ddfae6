// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/timm_config.h"

#include <algorithm>
#include <string_view>

#include "ops/core/error.h"
#include "runtime/arch/size_ranges.h"

namespace vit {
namespace {

template <class T>
struct Named {
  std::string_view name;
  T value;
};

constexpr Named<TimmPool> kPools[] = {{"token", TimmPool::kToken}, {"avg", TimmPool::kAvg}, {"avgmax", TimmPool::kAvgMax},
                                      {"max", TimmPool::kMax},     {"map", TimmPool::kMap}, {"prr", TimmPool::kPrr},
                                      {"", TimmPool::kNone}};
constexpr Named<TimmBlock> kBlocks[] = {{"Block", TimmBlock::kPlain},
                                        {"ResPostBlock", TimmBlock::kResPost},
                                        {"ParallelThingsBlock", TimmBlock::kParallelThings},
                                        {"ParallelScalingBlock", TimmBlock::kParallelScaling},
                                        {"DiffParallelScalingBlock", TimmBlock::kDiffParallelScaling}};
constexpr Named<TimmMlp> kMlps[] = {
    {"Mlp", TimmMlp::kPlain}, {"SwiGLU", TimmMlp::kSwiGlu}, {"SwiGLUPacked", TimmMlp::kSwiGluPacked}};
constexpr Named<TimmAttention> kAttentions[] = {{"attn", TimmAttention::kPlain},
                                                {"", TimmAttention::kPlain},
                                                {"Attention", TimmAttention::kPlain},
                                                {"diff", TimmAttention::kDifferential},
                                                {"DiffAttention", TimmAttention::kDifferential}};
constexpr Named<Activation> kActivations[] = {
    {"gelu", Activation::kGelu}, {"gelu_tanh", Activation::kGeluTanh}, {"quick_gelu", Activation::kQuickGelu},
    {"silu", Activation::kSilu}, {"swish", Activation::kSilu},         {"relu", Activation::kRelu},
    {"tanh", Activation::kTanh}};
constexpr Named<TimmNorm::Kind> kNorms[] = {{"layernorm", TimmNorm::Kind::kLayer},
                                            {"layernormfp32", TimmNorm::Kind::kLayer},
                                            {"rmsnorm", TimmNorm::Kind::kRms},
                                            {"rmsnormfp32", TimmNorm::Kind::kRms}};
constexpr Named<bool> kPositions[] = {{"learn", true}, {"none", false}, {"", false}};

/// Arguments that only training and construction know.
constexpr std::string_view kWithoutEffect[] = {"drop_rate",      "pos_drop_rate",  "patch_drop_rate", "proj_drop_rate",
                                               "attn_drop_rate", "drop_path_rate", "weight_init",     "fix_init",
                                               "device",         "dtype",          "dynamic_img_size"};
constexpr std::string_view kArguments[] = {
    "img_size",    "patch_size",          "in_chans",        "num_classes",    "global_pool",      "embed_dim",      "depth",
    "num_heads",   "mlp_ratio",           "qkv_bias",        "qk_norm",        "scale_attn_norm",  "scale_mlp_norm", "proj_bias",
    "init_values", "class_token",         "pos_embed",       "no_embed_class", "reg_tokens",       "pre_norm",       "final_norm",
    "fc_norm",     "pool_include_prefix", "dynamic_img_pad", "embed_layer",    "embed_norm_layer", "norm_layer",     "act_layer",
    "block_fn",    "mlp_layer",           "attn_layer"};

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

template <class T, size_t N>
T value_of(const JsonFields& fields, const std::string& key, const std::string& name, const Named<T> (&known)[N]) {
  std::string names;
  for (const Named<T>& k : known) {
    if (name == k.name) return k.value;
    names += (names.empty() ? "'" : ", '") + std::string(k.name) + "'";
  }
  fields.fail(key, "one of " + names);
}

/// Reads arguments one by one, each where the source has it.
class Reader {
 public:
  Reader(const TimmSource& source, const WeightStore& store) : source_(source), store_(store) {}

  TimmConfig read() const {
    TimmConfig c;
    sizes(c);
    c.qkv_bias = flag("qkv_bias", true), c.proj_bias = flag("proj_bias", true);
    c.qk_norm = flag("qk_norm", false), c.scale_attn_norm = flag("scale_attn_norm", false),
    c.scale_mlp_norm = flag("scale_mlp_norm", false);
    c.class_token = flag("class_token", true), c.no_embed_class = flag("no_embed_class", false),
    c.pre_norm = flag("pre_norm", false);
    c.final_norm = flag("final_norm", true), c.pool_include_prefix = flag("pool_include_prefix", false);
    c.distilled = source_.entry().model_class == "VisionTransformerDistilled";
    c.init_values = at("init_values").maybe_number("init_values", {});
    c.block_fn = choice("block_fn", kBlocks), c.mlp_layer = choice("mlp_layer", kMlps),
    c.attn_layer = choice("attn_layer", kAttentions);
    c.pos_embed = choice("pos_embed", kPositions);
    c.norm_layer = norm("norm_layer").value_or(TimmNorm{}), c.embed_norm_layer = norm("embed_norm_layer");
    if (const auto name = at("act_layer").maybe_text("act_layer"))
      c.act_layer = value_of(at("act_layer"), "act_layer", lower(*name), kActivations);
    c.global_pool = pool();
    const bool pools = c.global_pool == TimmPool::kAvg || c.global_pool == TimmPool::kAvgMax || c.global_pool == TimmPool::kMax;
    c.fc_norm = at("fc_norm").maybe_boolean("fc_norm").value_or(pools);
    check(c);
    return c;
  }

 private:
  JsonFields at(const std::string& key) const { return source_.argument(key); }
  bool flag(const std::string& key, bool otherwise) const { return at(key).maybe_boolean(key).value_or(otherwise); }
  int64_t integer(const std::string& key, IntegerRange range, int64_t otherwise) const {
    return at(key).maybe_integer(key, range).value_or(otherwise);
  }
  bool given(const std::string& key) const {
    const JsonFields fields = at(key);
    return fields.find(key) != nullptr && !fields.find(key)->is_null();
  }
  template <class T, size_t N>
  T choice(const std::string& key, const Named<T> (&known)[N]) const {
    const std::optional<std::string> name = at(key).maybe_text(key);
    return name ? value_of(at(key), key, *name, known) : known[0].value;
  }
  [[noreturn]] void fail(const std::string& key, const std::string& expected) const { at(key).fail(key, expected); }

  void sizes(TimmConfig& c) const {
    ModelConfig& m = c.model;
    m.family = "timm";
    m.architecture = source_.entry().name;
    m.embed_dim = integer("embed_dim", kWidthRange, 768);
    m.depth = integer("depth", kDepthRange, 12);
    m.num_heads = integer("num_heads", kWidthRange, 12);
    if (m.embed_dim % m.num_heads != 0) fail("num_heads", str("a divisor of embed_dim ", m.embed_dim));
    c.reg_tokens = m.num_registers = integer("reg_tokens", {0, 4096}, 0);
    const double ratio = at("mlp_ratio").maybe_number("mlp_ratio", {0, 1024}).value_or(4);
    c.mlp_hidden = static_cast<int64_t>(static_cast<double>(m.embed_dim) * ratio);
    if (c.mlp_hidden == 0) c.mlp_hidden = m.embed_dim;  // as Mlp does
    if (c.mlp_hidden > kMlpRange.max) fail("mlp_ratio", str("an MLP of 1 to ", kMlpRange.max, " channels"));
    m.mlp_dim = c.mlp_hidden;
    const auto [patch_height, patch_width] = sides("patch_size").value_or(std::pair<int64_t, int64_t>(16, 16));
    m.patch_height = patch_height, m.patch_width = patch_width;
    image_size(m);
    c.num_classes = num_classes();
  }

  std::optional<std::pair<int64_t, int64_t>> sides(const std::string& key) const {
    if (!given(key)) return std::nullopt;
    return at(key).pair(key, kSideRange);
  }

  /// img_size, or the input_size of weights that were made for one size; channels likewise.
  void image_size(ModelConfig& m) const {
    const JsonFields cfg = source_.pretrained();
    const auto input = cfg.maybe_numbers("input_size", {1, static_cast<double>(kSideRange.max)}, 3, 3)
                           .value_or(std::vector<double>{3, 224, 224});
    m.channels = integer("in_chans", {1, 1024}, static_cast<int64_t>(input[0]));
    if (m.channels > 1024) cfg.fail("input_size", "at most 1024 channels");
    m.image_height = m.image_width = 224;
    if (const auto size = sides("img_size")) {
      m.image_height = size->first, m.image_width = size->second;
    } else if (cfg.maybe_boolean("fixed_input_size").value_or(false)) {
      m.image_height = static_cast<int64_t>(input[1]), m.image_width = static_cast<int64_t>(input[2]);
    }
    if (m.image_height < m.patch_height || m.image_width < m.patch_width)
      fail("img_size", str("at least one patch of ", m.patch_height, " x ", m.patch_width));
    if (!flag("dynamic_img_pad", false)) return;
    m.remainder = Remainder::kPadded;
    const bool whole = m.image_height % m.patch_height == 0 && m.image_width % m.patch_width == 0;
    if (!whole && !flag("dynamic_img_size", false))
      fail("dynamic_img_pad", "false, or dynamic_img_size true, or sides that are multiples of the patch");
  }

  /// timm's order; a bare file of weights knows it better than the registry.
  int64_t num_classes() const {
    constexpr IntegerRange kRange{0, int64_t{1} << 20};
    if (given("num_classes")) return at("num_classes").integer("num_classes", kRange);
    if (source_.file() == nullptr) {
      const auto head = store_.tensors().find("head.weight");
      if (head != store_.tensors().end() && head->second.shape.rank() == 2) return std::min(head->second.shape[0], kRange.max);
      if (!store_.tensors().empty()) return 0;
    } else if (const auto root = source_.file()->maybe_integer("num_classes", {-1, kRange.max}); root && *root >= 0) {
      return *root;
    }
    const auto number = source_.pretrained().maybe_integer("num_classes", {-1, kRange.max});
    return number && *number >= 0 ? *number : 1000;
  }

  TimmPool pool() const {
    if (const JsonFields* file = source_.file()) {
      const auto arguments = file->maybe_object("model_args");
      const bool silent = !arguments || !arguments->maybe_text("global_pool");
      if (const auto name = file->maybe_text("global_pool"); name && silent) return value_of(*file, "global_pool", *name, kPools);
    }
    return choice("global_pool", kPools);
  }

  /// A name, or {"fn": name, "kwargs": {"eps": ..}} as the registry has it.
  std::optional<TimmNorm> norm(const std::string& key) const {
    const JsonFields fields = at(key);
    if (!given(key)) return std::nullopt;
    TimmNorm norm;
    if (fields.find(key)->is_object()) {
      const JsonFields object = *fields.maybe_object(key);
      norm.kind = value_of(object, "fn", lower(object.text("fn")), kNorms);
      if (const auto kwargs = object.maybe_object("kwargs")) norm.eps = static_cast<float>(kwargs->number("eps", {0, 0.5}, 1e-6));
    } else {
      norm.kind = value_of(fields, key, lower(fields.text(key)), kNorms);
    }
    return norm;
  }

  void check(const TimmConfig& c) const {
    const int64_t head_dim = c.model.embed_dim / c.model.num_heads;
    const bool scaling = c.block_fn == TimmBlock::kParallelScaling || c.block_fn == TimmBlock::kDiffParallelScaling;
    const bool differential = c.attn_layer == TimmAttention::kDifferential || c.block_fn == TimmBlock::kDiffParallelScaling;
    if (c.global_pool == TimmPool::kToken && !c.class_token) fail("class_token", "true, which the pooling of a token needs");
    if (c.mlp_layer == TimmMlp::kSwiGluPacked && c.mlp_hidden % 2 != 0) fail("mlp_ratio", "an even MLP for SwiGLUPacked");
    if (differential && head_dim % 2 != 0) fail("num_heads", "heads of an even size for differential attention");
    if (scaling && (c.scale_attn_norm || c.scale_mlp_norm))
      fail(c.scale_attn_norm ? "scale_attn_norm" : "scale_mlp_norm", "false with this block");
    if (given("embed_layer") && at("embed_layer").text("embed_layer") != "PatchEmbed") fail("embed_layer", "PatchEmbed");
    if (!c.distilled) return;
    if (c.global_pool != TimmPool::kToken) fail("global_pool", "'token' with a distillation token");
    if (!c.class_token) fail("class_token", "true with a distillation token");
    if (c.reg_tokens != 0) fail("reg_tokens", "0 with a distillation token");
    if (c.no_embed_class) fail("no_embed_class", "false with a distillation token");
  }

  const TimmSource& source_;
  const WeightStore& store_;
};

JsonDocument arguments_at(const UntrainedSize& size, const TimmEntry& entry) {
  Json arguments = parse_json(entry.arguments, entry.name).root();
  if (size.image != 0) arguments["img_size"] = size.image;
  if (size.patch != 0) arguments["patch_size"] = size.patch;
  return JsonDocument(std::move(arguments));
}

}  // namespace

TimmSource::TimmSource(const JsonFields& config)
    : entry_(find_timm_entry(config.text("architecture"), config.origin_of("architecture"))),
      registry_arguments_(parse_json(entry_.arguments, entry_.name)),
      registry_pretrained_(parse_json(entry_.pretrained, entry_.name)),
      file_(config),
      file_arguments_(config.maybe_object("model_args")),
      file_pretrained_(config.maybe_object("pretrained_cfg")) {
  // Older files have the fields at the root.
  for (const char* key : {"input_size", "mean", "std", "crop_pct", "interpolation"})
    if (!file_pretrained_ && config.has(key)) file_pretrained_ = config;
}

TimmSource::TimmSource(const std::string& name, const UntrainedSize& size)
    : entry_(find_timm_entry(name, "architecture")),
      registry_arguments_(arguments_at(size, entry_)),
      registry_pretrained_(parse_json(entry_.pretrained, entry_.name)) {}

JsonFields TimmSource::argument(const std::string& key) const {
  // timm passes no null on to the class.
  if (const Json* const value = file_arguments_ ? file_arguments_->find(key) : nullptr; value != nullptr && !value->is_null())
    return *file_arguments_;
  return JsonFields(registry_arguments_, "timm's " + entry_.name);
}

JsonFields TimmSource::pretrained() const {
  if (file_pretrained_) return *file_pretrained_;
  return JsonFields(registry_pretrained_, "timm's " + entry_.name + "." + entry_.tag);
}

void TimmSource::check_arguments() const {
  if (!file_arguments_) return;
  for (const auto& [key, value] : file_->find("model_args")->items()) {
    const auto is_key = [&key = key](std::string_view known) { return known == key; };
    if (std::none_of(std::begin(kArguments), std::end(kArguments), is_key) &&
        std::none_of(std::begin(kWithoutEffect), std::end(kWithoutEffect), is_key))
      file_arguments_->fail(key, "no such argument, since timm's " + std::string(entry_.model_class) + " has none");
  }
}

TimmConfig read_timm_config(const TimmSource& source, const WeightStore& store) {
  source.check_arguments();
  return Reader(source, store).read();
}

}  // namespace vit
