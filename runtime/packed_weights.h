// SPDX-License-Identifier: Apache-2.0
// Weights as kernels read them, made once a model and shared by the plans that use them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ops/pixels.h"
#include "quant/pack.h"
#include "runtime/graph.h"
#include "runtime/io/vit_file.h"

namespace vit {

class Model;

/// Packed weights by node and layout. Holds nothing alive: what no plan uses any more is freed. Thread-safe.
class PackCache {
 public:
  std::shared_ptr<const PackedLinear> get(const std::string& key, const std::function<PackedLinear()>& make);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const PackedLinear>> packed_;
};

/// The file's pages of a linear node's weights are not needed for now.
void drop_source(const Node& node, const WeightStore& store);

/// A linear node's weights; then drop_source(), unless `packing` keeps it.
PackedLinear pack_node(const Node& node, const WeightStore& store, Precision precision, int64_t panel,
                       std::span<const float> column_factor = {}, const Packing& packing = {});
/// A linear layer's weights, from the cache, the .vit file or the tensors. Thread-safe.
std::shared_ptr<const PackedLinear> shared_pack(const Model& model, const Node& node, Precision precision, int64_t panel,
                                                std::span<const float> column_factor = {}, const Packing& packing = {});
/// The same weights out of a .vit file: a view of the mapped file where it has them as the kernels read them.
PackedLinear packed_from_file(const Node& node, const StoredLayer& stored, int64_t panel);
/// The patch projection for float planes: columns in (c, ky, kx) order, as the file has them.
PackedLinear pack_patches_for_planes(const Node& node, Precision precision, int64_t panel);
/// The patch projection for 8-bit RGB: columns in (ky, kx, c) order; scale and shift of `normalisation` folded in, in double.
PackedLinear pack_patches_for_pixels(const Node& node, Precision precision, int64_t panel, const Normalisation& normalisation);

/// A linear (or patch projection) node's weights as the file has them, [out, in], for whoever packs by itself.
struct LinearFloats {
  int64_t in = 0, out = 0;
  std::vector<float> weight, bias;
};
LinearFloats linear_floats(const LinearWeights& linear);

/// latent Wᵀ + b, in double: it is made once and used by every image.
std::shared_ptr<const Buffer<float>> latent_query(const LatentQuery& query);

/// All of a small tensor as float32.
std::vector<float> floats_of(const Tensor& tensor);
/// The same, padded with zeros to whole panels, for kernels that read whole vectors.
std::shared_ptr<Buffer<float>> padded_floats(const Tensor& tensor, int64_t panel);

}  // namespace vit
