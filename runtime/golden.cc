// SPDX-License-Identifier: Apache-2.0
#include "runtime/golden.h"

#include <algorithm>
#include <cmath>

#include "ops/core/error.h"
#include "runtime/calibrate.h"
#include "runtime/io/vit_file.h"
#include "runtime/session.h"

namespace vit {
namespace {

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  float greatest = 0, most = 0;
  for (size_t i = 0; i < a.size(); ++i)
    greatest = std::max(greatest, std::fabs(b[i])), most = std::max(most, std::fabs(a[i] - b[i]));
  return greatest > 0 ? static_cast<double>(most / greatest) : static_cast<double>(most);
}

}  // namespace

Output golden_output(const Model& model) {
  return model.graph().output(Output::kLogits) >= 0 ? Output::kLogits : Output::kEmbedding;
}

std::vector<float> golden_pass(const std::shared_ptr<const Model>& model, Precision precision, const std::string& isa) {
  const ModelConfig& config = model->config();
  SessionOptions options;
  options.precision = precision, options.isa = isa, options.threads = 1;
  Session session(model, options);
  const Output want = golden_output(*model);
  const SeededInput input(config);
  if (config.channels == 3)
    session.run(std::vector{input.pixels()}, want);
  else
    session.run(input.planes().data(), 1, config.image_height, config.image_width, want);
  const ResultView result = session.output();
  return {result.data, result.data + result.shape.elements()};
}

Verification verify(const std::shared_ptr<const Model>& model, const std::string& isa) {
  const VitFile* const file = model->vit_file();
  VIT_CHECK(file != nullptr, Code::kArgument, model->path(),
            ": expected a .vit file, which has a golden pass, found another model");
  const std::vector<float> exact = golden_pass(model, Precision::kF32, isa);
  VIT_CHECK(exact.size() == file->golden.values.size(), Code::kModel, model->path(), ": its golden pass: expected ", exact.size(),
            " values, the file has ", file->golden.values.size());
  return {difference(exact, file->golden.values), file->golden.f32_tolerance,
          cosine(golden_pass(model, file->precision, isa), file->golden.values), file->golden.min_cosine};
}

}  // namespace vit
