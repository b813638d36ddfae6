// SPDX-License-Identifier: Apache-2.0
// The .vit file (docs/vit-format.md): a safetensors container that has the configuration inside and linear layers packed as
// kernels read them, so that a mapped file is ready to run.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quant/pack.h"
#include "quant/policy.h"
#include "runtime/io/safetensors.h"

namespace vit {

namespace vit_names {
constexpr int kVersion = 1;
// Keys of the metadata.
constexpr char kVersionKey[] = "vit.version", kScheme[] = "vit.scheme", kConfig[] = "vit.config",
               kPreprocessor[] = "vit.preprocessor", kArchitecture[] = "vit.architecture", kLayers[] = "vit.layers",
               kTensors[] = "vit.tensors", kGolden[] = "vit.golden";
// Names of tensors that the source does not have: of a layer kPrefix + LAYER + ending, and of the file.
constexpr char kPrefix[] = "vit:", kWeight[] = ":weight", kScale[] = ":scale", kColumnSum[] = ":column_sum",
               kColumnFactor[] = ":column_factor", kGoldenLogits[] = "vit:golden", kChecksum[] = "vit:crc32";
// In the text of kLayers.
constexpr char kAskedFor[] = "asked for";
constexpr std::pair<const char*, int> kMeasured[] = {{"with_8_bits", 255}, {"with_7_bits", 127}};  ///< greatest activation
}  // namespace vit_names

/// A linear layer as the file has it; views of the mapping, without bias.
struct StoredLayer {
  PackedLinear packed;
  std::vector<float> column_factor;  ///< [in] that the weights were multiplied by; empty: ones
};

/// Rows of a tensor of the source, [first, first + count) of a layer's output channels.
struct StoredRows {
  std::string layer;
  int64_t first = 0, count = 0;
};

/// What a file's own pass gave where it was made: for the picture of seeded_picture() at the model's size.
struct Golden {
  std::vector<float> values;  ///< logits, or the embedding of a model without classifier, of a float32 pass
  double f32_tolerance = 0;   ///< greatest difference of another float32 pass, as a part of the greatest value
  double min_cosine = 0;      ///< smallest cosine of a pass in the file's own precision
};

/// Everything that a .vit file says beside the tensors that it has from its source.
struct VitFile {
  std::string scheme;  ///< int8, bf16, f16 or f32
  Precision precision = Precision::kF32;
  std::map<std::string, StoredLayer> layers;  ///< by the names of linear nodes
  std::shared_ptr<const QuantPolicy> policy;  ///< of int8; null otherwise
  std::string report;                         ///< JSON: what is known of each layer
  Golden golden;
};

/// Whether a container's metadata says that it is one.
bool is_vit_file(const Safetensors& content);

/// Takes what is the format's own out of `content`, and puts tensors of the source that are packed into it, as readers. The
/// checksum is compared first: `file` is all of the file. Throws Error(kModel).
std::shared_ptr<const VitFile> read_vit_file(Safetensors& content, Bytes file, const std::string& path);

}  // namespace vit
