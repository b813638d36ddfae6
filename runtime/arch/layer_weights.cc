// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/layer_weights.h"

#include "ops/core/error.h"

namespace vit {

int64_t rows_in_file(const Weights& w, const std::string& name) {
  if (!w.has(name)) return 0;
  const Shape& shape = w.look(name).shape;
  return shape.rank() == 2 ? shape[0] : 0;
}

LinearWeights linear_weights(const Weights& w, const std::string& name, int64_t out, int64_t in, Bias bias) {
  LinearWeights weights;
  weights.weight.push_back(w.take(name + ".weight", Shape{out, in}));
  weights.bias.push_back(bias == Bias::kYes ? w.take(name + ".bias", Shape{out}) : Tensor{});
  weights.in = in;
  weights.out = out;
  return weights;
}

NormWeights norm_weights(const Weights& w, const std::string& name, int64_t channels) {
  const bool tensorflow = w.has(name + ".gamma") && !w.has(name + ".weight");
  return {w.take(name + (tensorflow ? ".gamma" : ".weight"), Shape{channels}),
          w.take(name + (tensorflow ? ".beta" : ".bias"), Shape{channels})};
}

LinearWeights stacked(std::initializer_list<LinearWeights> parts) {
  LinearWeights all;
  for (const LinearWeights& part : parts) {
    all.weight.insert(all.weight.end(), part.weight.begin(), part.weight.end());
    all.bias.insert(all.bias.end(), part.bias.begin(), part.bias.end());
    all.in = part.in;
    all.out += part.out;
  }
  return all;
}

void cross_check(const JsonFields& config, const char* field, const Weights& w, const std::string& name, const Shape& shape) {
  if (!w.has(name)) return;
  const Tensor& tensor = w.look(name);
  VIT_CHECK(tensor.shape == shape, Code::kModel, config.file(), ": ", field, ": by it ", tensor.name, " is expected to be ",
            shape, ", the file has ", tensor.shape);
}

}  // namespace vit
