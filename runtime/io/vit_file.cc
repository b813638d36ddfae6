// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/vit_file.h"

#include <algorithm>
#include <cstring>

#include "ops/core/error.h"
#include "runtime/io/checksum.h"
#include "runtime/io/json_fields.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

using namespace vit_names;

constexpr IntegerRange kSize{1, int64_t{1} << 24};

std::optional<Precision> precision_of(const std::string& name) {
  for (const Precision p : {Precision::kF32, Precision::kBF16, Precision::kInt8})
    if (name == precision_name(p)) return p;
  return std::nullopt;
}

/// Gives the rows of a source tensor out of packed layers.
class StoredTensor final : public TensorReader {
 public:
  struct Part {
    const StoredLayer* layer;
    int64_t first, count;
  };
  StoredTensor(std::shared_ptr<const VitFile> file, std::vector<Part> parts, int64_t in)
      : file_(std::move(file)), parts_(std::move(parts)), in_(in) {}

  void to_float(int64_t first, int64_t count, float* out) const override {
    int64_t row = first / in_, column = first % in_;
    for (const Part& part : parts_) {
      for (; count > 0 && row < part.count; ++row, column = 0) {
        const int64_t n = std::min(count, in_ - column);
        unpack_channel(part.layer->packed, part.first + row, column, n, out);
        // Powers of two: this is exact.
        if (const std::vector<float>& factor = part.layer->column_factor; !factor.empty())
          for (int64_t k = 0; k < n; ++k) out[k] /= factor[static_cast<size_t>(column + k)];
        out += n, count -= n;
      }
      row -= part.count;
    }
  }

 private:
  std::shared_ptr<const VitFile> file_;  ///< keeps the layers
  std::vector<Part> parts_;
  int64_t in_;
};

class Reader {
 public:
  Reader(Safetensors& content, Bytes file, const std::string& path) : content_(content), file_(file), path_(path) {}

  std::shared_ptr<const VitFile> read() {
    check_checksum();
    out_->scheme = text(kScheme);
    out_->precision = out_->scheme == "f16" ? Precision::kF32 : precision_of(out_->scheme).value_or(Precision::kF32);
    VIT_CHECK(out_->scheme == "f16" || precision_of(out_->scheme), Code::kModel, path_, ": ", kScheme,
              ": expected int8, bf16, f16 or f32, found '", printable(out_->scheme), "'");
    out_->report = text(kLayers);
    read_layers();
    read_golden();
    std::erase_if(content_.tensors, [](const Tensor& t) { return t.name.starts_with(kPrefix); });
    read_tensors();
    return out_;
  }

 private:
  const std::string& text(const char* key) const {
    const auto found = content_.metadata.find(key);
    VIT_CHECK(found != content_.metadata.end(), Code::kModel, path_, ": expected ", key, " in its metadata, found none");
    return found->second;
  }
  const Tensor& tensor(const std::string& name, const char* type) const {
    const auto found =
        std::find_if(content_.tensors.begin(), content_.tensors.end(), [&](const Tensor& t) { return t.name == name; });
    VIT_CHECK(found != content_.tensors.end(), Code::kModel, path_, ": expected a tensor ", printable(name), ", found none");
    VIT_CHECK(found->dtype_code == type, Code::kModel, path_, ": tensor ", printable(name), ": expected ", type, ", found ",
              found->dtype_code);
    return *found;
  }
  /// A tensor of the format's own, of so many elements.
  const Tensor& sized(const std::string& name, const char* type, int64_t elements) const {
    const Tensor& found = tensor(name, type);
    VIT_CHECK(found.shape.elements() == elements, Code::kModel, path_, ": tensor ", printable(name), ": expected ", elements,
              " elements, found ", found.shape);
    return found;
  }
  Buffer<float> floats(const std::string& name, int64_t count) const {
    const Tensor& found = sized(name, "F32", count);
    Buffer<float> values(count);
    found.to_float(0, count, values.data());
    return values;
  }

  /// The last four bytes are the CRC-32 of all before them, little-endian.
  void check_checksum() const {
    const Tensor& stored = sized(kChecksum, "U32", 1);
    VIT_CHECK(stored.bytes.data() + 4 == file_.data() + file_.size(), Code::kModel, path_, ": expected ", kChecksum,
              " at the end of the file, found it elsewhere");
    uint32_t expected;
    std::memcpy(&expected, stored.bytes.data(), sizeof expected);
    const uint32_t found = file_checksum(file_.first(file_.size() - 4));
    VIT_CHECK(found == expected, Code::kModel, path_, ": damaged: expected the checksum ", expected, ", found ", found);
  }

  void read_layers() {
    const JsonDocument json = parse_json(out_->report, path_ + ": " + kLayers);
    QuantPolicy policy;
    const JsonFields all(json, path_ + ": " + kLayers);
    for (const auto& [name, value] : json.root().items()) {
      const JsonFields fields(value, all.origin_of(name));
      const auto precision = precision_of(fields.text("precision"));
      if (!precision) fields.fail("precision", "int8, bf16 or f32");
      LayerChoice choice;
      choice.precision = *precision;
      choice.cosine = fields.number("cosine", {-1, 1}, 1);
      choice.pictures = fields.maybe_integer("calibration_pictures", {1, int64_t{1} << 40}).value_or(0);
      choice.alpha = fields.number("alpha", {0, 1}, 0);
      choice.asked = fields.text("kept", "") == kAskedFor;
      for (const auto& [key, levels] : kMeasured)
        if (const auto measured = fields.maybe_object(key))
          choice.with_levels[levels] = {measured->number("cosine", {-1, 1}), measured->number("snr_db", {})};
      const std::optional<std::string> norm = fields.maybe_text("norm");
      const int64_t in = fields.integer("in", kSize), out = fields.integer("out", kSize);
      const auto panel = fields.maybe_integer("panel", {1, 1024});
      if (norm) {
        const Buffer<float> factor = floats(kPrefix + name + kColumnFactor, in);
        choice.column_factor.assign(factor.begin(), factor.end());
        for (const float f : choice.column_factor)
          VIT_CHECK(f > 0 && f < 1e30f, Code::kModel, path_, ": tensor ", kPrefix, printable(name), kColumnFactor,
                    ": expected positive numbers, found ", f);
        policy.norm_divisor[*norm] = choice.column_factor;
        choice.norm = *norm;
      }
      if (panel) out_->layers.emplace(name, read_layer(name, choice, in, out, *panel));
      policy.layers.emplace(name, std::move(choice));
    }
    if (out_->precision == Precision::kInt8) out_->policy = std::make_shared<const QuantPolicy>(std::move(policy));
  }

  StoredLayer read_layer(const std::string& name, const LayerChoice& choice, int64_t in, int64_t out, int64_t panel) {
    StoredLayer layer;
    PackedLinear& packed = layer.packed;
    packed.precision = choice.precision;
    packed.in = in, packed.out = out, packed.panel = panel;
    const char* const types[] = {"F32", "BF16", "I8"};
    const int64_t bytes = packed.panels() * packed.panel_bytes(), padded = packed.panels() * panel;
    packed.weight = Buffer<uint8_t>::borrow(
        sized(kPrefix + name + kWeight, types[static_cast<int>(choice.precision)], bytes / operand_size(choice.precision))
            .bytes.data(),
        bytes);
    if (choice.precision == Precision::kInt8) {
      packed.scale = floats(kPrefix + name + kScale, padded);
      packed.column_sum = floats(kPrefix + name + kColumnSum, padded);
    }
    layer.column_factor = choice.column_factor;
    return layer;
  }

  void read_golden() {
    const JsonDocument json = parse_json(text(kGolden), path_ + ": " + kGolden);
    const JsonFields fields(json, path_ + ": " + kGolden);
    out_->golden.f32_tolerance = fields.number("f32_tolerance", {0, 1});
    out_->golden.min_cosine = fields.number("min_cosine", {-1, 1});
    const Tensor& values = tensor(kGoldenLogits, "F32");
    out_->golden.values.resize(static_cast<size_t>(values.shape.elements()));
    values.to_float(0, values.shape.elements(), out_->golden.values.data());
  }

  /// The source's tensors that are packed: a type, a shape, and where their rows are.
  void read_tensors() {
    const JsonDocument json = parse_json(text(kTensors), path_ + ": " + kTensors);
    const JsonFields all(json, path_ + ": " + kTensors);
    for (const auto& [name, value] : json.root().items()) {
      const JsonFields fields(value, all.origin_of(name));
      const Json* const rows = fields.find("rows");
      if (rows == nullptr || !rows->is_array() || rows->empty() || rows->size() > 1024) fields.fail("rows", "a list of parts");
      std::vector<StoredTensor::Part> parts;
      int64_t out = 0, in = 0;
      Precision precision = Precision::kF32;
      for (const Json& one : *rows) {
        const JsonFields part(one, fields.origin_of("rows"));
        const auto layer = out_->layers.find(part.text("layer"));
        if (layer == out_->layers.end()) part.fail("layer", "a layer of the file");
        const PackedLinear& packed = layer->second.packed;
        const int64_t first = part.integer("first", {0, packed.out - 1}), count = part.integer("count", {1, packed.out - first});
        VIT_CHECK(in == 0 || in == packed.in, Code::kModel, fields.origin_of("rows"), ": expected layers of ", in,
                  " inputs, found one of ", packed.in);
        parts.push_back({&layer->second, first, count});
        out += count, in = packed.in, precision = packed.precision;
      }
      Tensor tensor;
      tensor.name = name;
      tensor.dtype_code = precision_name(precision);
      tensor.shape = Shape{out, in};
      tensor.file = path_.substr(path_.find_last_of('/') + 1);
      tensor.reader = std::make_shared<StoredTensor>(out_, std::move(parts), in);
      content_.tensors.push_back(std::move(tensor));
    }
  }

  Safetensors& content_;
  Bytes file_;
  const std::string& path_;
  std::shared_ptr<VitFile> out_ = std::make_shared<VitFile>();
};

}  // namespace

bool is_vit_file(const Safetensors& content) { return content.metadata.count(kVersionKey) != 0; }

std::shared_ptr<const VitFile> read_vit_file(Safetensors& content, Bytes file, const std::string& path) {
  const std::string& version = content.metadata.at(kVersionKey);
  VIT_CHECK(version == std::to_string(kVersion), Code::kModel, path, ": ", kVersionKey, ": expected ", kVersion,
            ", which this program reads, found '", printable(version), "': make the file again with this vit-quantize");
  return Reader(content, file, path).read();
}

}  // namespace vit
