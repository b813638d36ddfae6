// SPDX-License-Identifier: Apache-2.0
// A photo through a model's recipe and the model, as the library does it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/image/preprocess.h"
#include "runtime/session.h"

namespace vit {

class Photographs {
 public:
  /// `order`: the Pillow that made what the results are compared with.
  Photographs(const std::string& model, PillowOrder order) : session_(Model::open(model), SessionOptions{}), order_(order) {}
  const Model& model() const { return session_.model(); }
  std::vector<float> run(const std::string& image, Output want);

 private:
  Session session_;
  PillowOrder order_;
};

std::vector<double> softmax(const std::vector<float>& logits);
size_t largest(const std::vector<float>& values);

}  // namespace vit
