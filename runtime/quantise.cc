// SPDX-License-Identifier: Apache-2.0
#include "runtime/quantise.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/core/error.h"
#include "ops/kernel_table.h"
#include "ops/operands.h"
#include "runtime/calibrate.h"
#include "runtime/golden.h"
#include "runtime/io/checksum.h"
#include "runtime/io/json.h"
#include "runtime/io/printable.h"
#include "runtime/io/vit_file.h"
#include "runtime/packed_weights.h"
#include "runtime/session.h"
#include "runtime/weight_rows.h"

namespace vit {
namespace {

using namespace vit_names;

constexpr int64_t kAlignment = 64;      ///< of packed weights, which kernels count on
constexpr double kF32Tolerance = 2e-4;  ///< of two float32 passes that add in different orders, as everywhere in the project

const char* scheme_name(Scheme scheme) {
  static const char* const names[] = {"int8", "bf16", "f16", "f32"};
  return names[static_cast<int>(scheme)];
}

Precision precision_of(Scheme scheme) {
  return scheme == Scheme::kInt8 ? Precision::kInt8 : scheme == Scheme::kBF16 ? Precision::kBF16 : Precision::kF32;
}

/// JSON has no NaN: results that are none are as far from float32's as can be.
double finite(double value) { return std::isfinite(value) ? value : -1; }

/// A tensor of the file to be.
struct NewTensor {
  std::string name, type;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
  std::function<void(uint8_t* to)> fill;
};

class Writer {
 public:
  Writer(std::shared_ptr<const Model> model, const QuantiseOptions& options)
      : model_(std::move(model)), options_(options), isa_(choose_isa(options.isa)), kernels_(kernels(isa_)), rows_(*model_) {
    for (const Node& node : model_->graph().nodes()) linear_ += is_token_layer(node);
    total_ = (options.scheme == Scheme::kInt8 ? 2 : 1) * linear_ + static_cast<size_t>(options.pictures);
  }

  Buffer<uint8_t> write() {
    VIT_CHECK(model_->weights().maker() == nullptr, Code::kArgument, model_->path(),
              ": expected a model with weights, found an untrained one");
    check_options();
    choose();
    list_tensors();
    Golden golden{{}, kF32Tolerance, 0};
    golden.values.resize(golden_elements());
    Buffer<uint8_t> file = assemble(golden);
    for (NewTensor& tensor : tensors_) tensor.fill(at(file, tensor));
    seal(file);
    measure(file, golden);
    return file;
  }

 private:
  void step() {
    if (options_.progress) options_.progress(std::min(++done_, total_), total_);
  }

  // ---- what each layer is computed in ----
  void check_options() const {
    for (const KeptLayers& keep : options_.keep) {
      const auto& nodes = model_->graph().nodes();
      const bool any = std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) {
        return is_token_layer(node) && fnmatch(keep.pattern.c_str(), node.name.c_str(), 0) == 0;
      });
      VIT_CHECK(any, Code::kArgument, "keep: expected a pattern that a linear layer's name matches, as blocks.0.*, found ",
                printable(keep.pattern));
    }
    VIT_CHECK(options_.keep.empty() || options_.scheme == Scheme::kInt8, Code::kArgument,
              "keep: expected scheme int8, which keeps layers in other types, found ", scheme_name(options_.scheme));
    VIT_CHECK(options_.pictures == 0 || options_.scheme == Scheme::kInt8, Code::kArgument,
              "calibration: expected scheme int8, the only one that pictures can help, found ", scheme_name(options_.scheme));
  }
  std::optional<Precision> wish(const std::string& layer) const {
    std::optional<Precision> found;
    for (const KeptLayers& keep : options_.keep)
      if (fnmatch(keep.pattern.c_str(), layer.c_str(), 0) == 0) found = keep.precision;
    return found;
  }
  void choose() {
    if (options_.scheme != Scheme::kInt8) return;
    const bool as_is = options_.keep.empty() && options_.min_cosine == kDefaultMinCosine && options_.pictures == 0;
    if (as_is && model_->vit_file() != nullptr && model_->vit_file()->policy) {
      policy_ = *model_->vit_file()->policy;
      done_ = linear_;
      return;
    }
    SessionOptions session;
    session.isa = isa_name(isa_), session.threads = options_.threads;
    CalibrationOptions calibration;
    calibration.trial.min_cosine = options_.min_cosine;
    calibration.trial.wish = [this](const std::string& layer) { return wish(layer); };
    calibration.trial.measure = true;
    calibration.pictures = options_.pictures, calibration.picture = options_.picture;
    calibration.after_step = [this] { step(); };
    policy_ = Session(model_, session).calibrate(calibration);
  }
  LayerChoice choice(const Node& node) const {
    const auto found = policy_.layers.find(node.name);
    if (found != policy_.layers.end()) return found->second;
    LayerChoice plain;
    plain.precision = precision_of(options_.scheme);
    return plain;
  }

  // ---- tensors ----
  void list_tensors() {
    if (options_.scheme != Scheme::kF16)
      for (const Node& node : model_->graph().nodes())
        if (rows_.packable(node)) list_layer(node);
    for (const auto& [name, layer] : policy_.layers)
      if (!layer.column_factor.empty()) list_floats(kPrefix + name + kColumnFactor, layer.column_factor);
    for (const auto& [name, tensor] : model_->weights().tensors()) {
      VIT_CHECK(!name.starts_with(kPrefix), Code::kModel, model_->path(), ": tensor ", printable(name),
                ": expected no name of the .vit format's own, which begin with ", kPrefix);
      if (options_.scheme == Scheme::kF16 || rows_.rows_of(tensor) == nullptr) list_source(tensor);
    }
  }

  void list_layer(const Node& node) {
    const LayerChoice chosen = choice(node);
    PackedLinear shape;
    shape.precision = chosen.precision;
    shape.in = node.linear.in, shape.out = node.linear.out, shape.panel = kernels_.panel(chosen.precision);
    const int64_t size = operand_size(chosen.precision), padded = shape.panels() * shape.panel;
    const char* const types[] = {"F32", "BF16", "I8"};
    std::vector<int64_t> dims{shape.panels(), shape.steps(), shape.panel};
    if (size < 4) dims.push_back(4 / size);
    // The scales are made with the weights, which are filled first.
    const auto scales = std::make_shared<std::vector<float>>(static_cast<size_t>(2 * padded));
    tensors_.push_back({kPrefix + node.name + kWeight, types[static_cast<int>(chosen.precision)], std::move(dims),
                        shape.panels() * shape.panel_bytes(), [this, &node, chosen, scales, padded](uint8_t* to) {
                          const PackedLinear packed = pack(node, chosen);
                          std::memcpy(to, packed.weight.data(), static_cast<size_t>(packed.weight.size()));
                          if (chosen.precision == Precision::kInt8) {
                            std::copy_n(packed.scale.data(), padded, scales->data());
                            std::copy_n(packed.column_sum.data(), padded, scales->data() + padded);
                          }
                          step();
                        }});
    if (chosen.precision != Precision::kInt8) return;
    const auto half = [scales, padded](int64_t first) {
      return [scales, padded, first](uint8_t* to) { std::memcpy(to, scales->data() + first, static_cast<size_t>(4 * padded)); };
    };
    tensors_.push_back({kPrefix + node.name + kScale, "F32", {padded}, 4 * padded, half(0)});
    tensors_.push_back({kPrefix + node.name + kColumnSum, "F32", {padded}, 4 * padded, half(padded)});
  }
  /// As a session would, so that the file's results are the source's bit for bit.
  PackedLinear pack(const Node& node, const LayerChoice& chosen) const {
    if (model_->vit_file() != nullptr) {
      const auto& layers = model_->vit_file()->layers;
      const auto stored = layers.find(node.name);
      if (stored != layers.end() && stored->second.packed.precision == chosen.precision &&
          stored->second.column_factor == chosen.column_factor)
        return packed_from_file(node, stored->second, kernels_.panel(chosen.precision));
    }
    return pack_node(node, model_->weights(), chosen.precision, kernels_.panel(chosen.precision), chosen.column_factor,
                     {Pages::kOwn});
  }

  void list_floats(const std::string& name, const std::vector<float>& values) {
    const auto count = static_cast<int64_t>(values.size());
    tensors_.push_back({name, "F32", {count}, 4 * count, [&values, count](uint8_t* to) {
                          std::memcpy(to, values.data(), static_cast<size_t>(4 * count));
                        }});
  }

  /// A tensor as the source has it; for f16, matrices in that where their numbers fit.
  void list_source(const Tensor& tensor) {
    const bool matrix = tensor.dtype != DType::kOther && tensor.shape.rank() >= 2;
    const int64_t count = tensor.shape.elements();
    if (options_.scheme == Scheme::kF16 && matrix && tensor.dtype != DType::kF16 && fits_half(tensor)) {
      tensors_.push_back({tensor.name, "F16", tensor.shape.dims(), 2 * count, [&tensor](uint8_t* to) {
                            for_floats(tensor, [&](int64_t i, float value) {
                              const auto half = to_half(value);
                              std::memcpy(to + 2 * i, &half, sizeof half);
                            });
                          }});
      return;
    }
    if (tensor.reader == nullptr) {
      tensors_.push_back({tensor.name, tensor.dtype_code, tensor.shape.dims(), static_cast<int64_t>(tensor.bytes.size()),
                          [&tensor](uint8_t* to) {
                            if (!tensor.bytes.empty()) std::memcpy(to, tensor.bytes.data(), tensor.bytes.size());
                          }});
      return;
    }
    tensors_.push_back({tensor.name, "F32", tensor.shape.dims(), 4 * count, [&tensor](uint8_t* to) {
                          for_floats(tensor, [&](int64_t i, float value) { std::memcpy(to + 4 * i, &value, sizeof value); });
                        }});
  }
  template <class Each>
  static void for_floats(const Tensor& tensor, Each each) {
    constexpr int64_t kChunk = 4096;
    float chunk[kChunk];
    for (int64_t first = 0, count = tensor.shape.elements(); first < count; first += kChunk) {
      const int64_t n = std::min(kChunk, count - first);
      tensor.to_float(first, n, chunk);
      for (int64_t i = 0; i < n; ++i) each(first + i, chunk[i]);
    }
  }
  static bool fits_half(const Tensor& tensor) {
    constexpr float kGreatestHalf = 65504;
    bool fits = true;
    for_floats(tensor, [&](int64_t, float value) { fits = fits && std::fabs(value) <= kGreatestHalf; });
    return fits;
  }

  // ---- the file ----
  Json layers_json() const {
    Json all = Json::object();
    for (const Node& node : model_->graph().nodes()) {
      if (!is_token_layer(node) || options_.scheme == Scheme::kF16) continue;
      const LayerChoice chosen = choice(node);
      Json one{{"precision", precision_name(chosen.precision)}, {"in", node.linear.in}, {"out", node.linear.out}};
      if (rows_.packable(node)) one["panel"] = kernels_.panel(chosen.precision);
      if (options_.scheme == Scheme::kInt8) {
        one["cosine"] = finite(chosen.cosine);
        if (chosen.pictures > 0) one["calibration_pictures"] = chosen.pictures;
        for (const auto& [key, levels] : kMeasured)
          if (const auto found = chosen.with_levels.find(levels); found != chosen.with_levels.end())
            one[key] = {{"cosine", finite(found->second.cosine)}, {"snr_db", finite(found->second.snr_db)}};
        if (!chosen.column_factor.empty()) {
          one["norm"] = chosen.norm;
          one["moved_channels"] =
              std::count_if(chosen.column_factor.begin(), chosen.column_factor.end(), [](float f) { return f != 1; });
          if (chosen.alpha > 0) one["alpha"] = chosen.alpha;
        }
        if (chosen.precision != Precision::kInt8)
          one["kept"] = chosen.asked ? kAskedFor : str("int8 cosine below ", options_.min_cosine);
      }
      all[node.name] = std::move(one);
    }
    return all;
  }
  Json tensors_json() const {
    Json all = Json::object();
    for (const auto& [name, tensor] : model_->weights().tensors()) {
      const std::vector<SharedRows>* rows = rows_.rows_of(tensor);
      if (rows == nullptr || options_.scheme == Scheme::kF16) continue;
      Json parts = Json::array();
      for (const SharedRows& part : *rows)
        parts.push_back({{"layer", part.node->name}, {"first", part.node_row}, {"count", part.count}});
      all[name] = {{"rows", std::move(parts)}};
    }
    return all;
  }
  /// All texts of the same model, scheme and layout have the same length, whatever the numbers are.
  static std::string golden_text(const Golden& golden) {
    char text[128];
    std::snprintf(text, sizeof text, R"({"f32_tolerance": %.6f, "min_cosine": %12.9f})", golden.f32_tolerance, golden.min_cosine);
    return text;
  }

  size_t golden_elements() const {
    const ModelConfig& config = model_->config();
    const Shape shape =
        Session(model_, {.threads = 1}).output_shape(golden_output(*model_), 1, config.image_height, config.image_width);
    return static_cast<size_t>(shape.elements());
  }

  std::string header_text(const Golden& golden) const {
    const ModelSource& source = model_->source();
    Json metadata{{kVersionKey, std::to_string(kVersion)}, {kScheme, scheme_name(options_.scheme)}};
    if (!source.architecture.empty()) metadata[kArchitecture] = source.architecture;
    if (!source.config.empty()) metadata[kConfig] = source.config;
    if (!source.preprocessor.empty()) metadata[kPreprocessor] = source.preprocessor;
    metadata[kLayers] = layers_json().dump();
    metadata[kTensors] = tensors_json().dump();
    metadata[kGolden] = golden_text(golden);
    Json header{{"__metadata__", std::move(metadata)}};
    int64_t begin = 0;
    const auto add = [&](const std::string& name, const std::string& type, const std::vector<int64_t>& shape, int64_t bytes) {
      header[name] = {{"dtype", type}, {"shape", shape}, {"data_offsets", {begin, begin + bytes}}};
      begin += bytes;
    };
    for (const NewTensor& tensor : tensors_) add(tensor.name, tensor.type, tensor.shape, tensor.bytes);
    const auto values = static_cast<int64_t>(golden.values.size());
    add(kGoldenLogits, "F32", {values}, 4 * values);
    add(kChecksum, "U32", {1}, 4);
    std::string text = header.dump();
    text.resize(static_cast<size_t>(round_up(static_cast<int64_t>(text.size()) + 8, kAlignment) - 8), ' ');
    return text;
  }

  Buffer<uint8_t> assemble(const Golden& golden) {
    const std::string header = header_text(golden);
    int64_t bytes = data_begin_ = static_cast<int64_t>(header.size()) + 8;
    for (NewTensor& tensor : tensors_) bytes += tensor.bytes;
    golden_begin_ = bytes;
    Buffer<uint8_t> file(bytes + static_cast<int64_t>(4 * golden.values.size()) + 4);
    put_header(file, header);
    return file;
  }
  static void put_header(const Buffer<uint8_t>& file, const std::string& header) {
    for (int i = 0; i < 8; ++i) file[i] = static_cast<uint8_t>(header.size() >> 8 * i);
    std::memcpy(file.data() + 8, header.data(), header.size());
  }
  uint8_t* at(const Buffer<uint8_t>& file, const NewTensor& tensor) const {
    int64_t begin = data_begin_;
    for (const NewTensor& other : tensors_) {
      if (&other == &tensor) break;
      begin += other.bytes;
    }
    return file.data() + begin;
  }
  static void seal(const Buffer<uint8_t>& file) {
    const auto before = static_cast<size_t>(file.size()) - 4;
    const uint32_t sum = file_checksum({file.data(), before});
    std::memcpy(file.data() + before, &sum, sizeof sum);
  }

  /// Runs the file as a model, and writes what came out into it.
  void measure(const Buffer<uint8_t>& file, Golden golden) const;

  std::shared_ptr<const Model> model_;
  const QuantiseOptions& options_;
  Isa isa_;
  const KernelTable& kernels_;
  WeightRows rows_;
  QuantPolicy policy_;
  std::vector<NewTensor> tensors_;
  int64_t data_begin_ = 0, golden_begin_ = 0;
  size_t linear_ = 0, done_ = 0, total_ = 0;
};

void Writer::measure(const Buffer<uint8_t>& file, Golden golden) const {
  const std::vector<NamedBytes> files{{"model.safetensors", {file.data(), static_cast<size_t>(file.size())}}};
  {
    const std::shared_ptr<const Model> made = Model::open(model_->path(), files);
    golden.values = golden_pass(made, Precision::kF32, isa_name(isa_));
    // Sets of the same levels and the same attention compute the same.
    std::map<std::pair<int, bool>, Isa> kinds;
    for (const Isa isa : usable_isas()) kinds[{kernels(isa).levels, kernels(isa).has_bf16}] = isa;
    double worst = 0;
    for (const auto& [kind, isa] : kinds)
      worst = std::max(worst, 1 - cosine(golden_pass(made, precision_of(options_.scheme), isa_name(isa)), golden.values));
    // 7 bits have four times the squared error of 8, and this CPU may have tried only those.
    constexpr double kSlack = 1e-6;
    golden.min_cosine = std::max(-1.0, 1 - 4 * worst - kSlack);
  }
  std::memcpy(file.data() + golden_begin_, golden.values.data(), 4 * golden.values.size());
  put_header(file, header_text(golden));
  seal(file);
}

}  // namespace

Buffer<uint8_t> quantise(const std::shared_ptr<const Model>& model, const QuantiseOptions& options) {
  return Writer(model, options).write();
}

}  // namespace vit
