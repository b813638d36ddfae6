// SPDX-License-Identifier: Apache-2.0
#include "runtime/random_weights.h"

#include <algorithm>
#include <cmath>

namespace vit {
namespace {

class RandomWeights final : public TensorMaker {
 public:
  Tensor make(const std::string& name, const Shape& shape) override {
    const bool gain =
        shape.rank() == 1 && (name.ends_with("gamma") || (name.ends_with(".weight") && name.find("norm") != std::string::npos));
    const auto count = static_cast<size_t>(shape.elements());
    Tensor tensor;
    tensor.name = name;
    tensor.dtype_code = "F32";
    tensor.shape = shape;
    tensor.own = gain ? ones_with(count) : numbers_with(count);
    tensor.bytes = {reinterpret_cast<const uint8_t*>(tensor.own->data()), count * sizeof(float)};
    return tensor;
  }

 private:
  using Block = std::shared_ptr<const std::vector<float>>;

  Block ones_with(size_t count) {
    if (!ones_ || ones_->size() < count) ones_ = std::make_shared<const std::vector<float>>(count, 1.0f);
    return ones_;
  }
  /// A larger block where the last one is too small; tensors made before keep theirs.
  Block numbers_with(size_t count) {
    if (numbers_ && numbers_->size() >= count) return numbers_;
    constexpr float kDeviation = 0.02f;
    const float half_width = kDeviation * std::sqrt(3.0f);
    auto block = std::make_shared<std::vector<float>>(std::max(count, size_t{1} << 20));
    uint64_t state = 1;  // Knuth's MMIX generator
    for (float& value : *block) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      value = (static_cast<float>(state >> 40) * 0x1p-23f - 1.0f) * half_width;
    }
    return numbers_ = std::move(block);
  }

  Block ones_, numbers_;
};

}  // namespace

std::shared_ptr<TensorMaker> make_random_weights() { return std::make_shared<RandomWeights>(); }

}  // namespace vit
