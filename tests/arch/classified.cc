// SPDX-License-Identifier: Apache-2.0
#include "tests/arch/classified.h"

#include <algorithm>
#include <cmath>

namespace vit {

std::vector<float> Photographs::run(const std::string& image, Output want) {
  const Recipe& recipe = model().recipe();
  const Pixels photo = read_image(image, {.orientation = recipe.orientation.value});
  const Pixels crop = preprocess(photo.view(), recipe, {.order = order_}, kernels(session_.isa()), image);
  const PixelView view = crop.view();
  session_.run({&view, 1}, want);
  const ResultView result = session_.output();
  return {result.data, result.data + result.shape.elements()};
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const double top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) sum += p.emplace_back(std::exp(static_cast<double>(logit) - top));
  for (double& value : p) value /= sum;
  return p;
}

size_t largest(const std::vector<float>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace vit
