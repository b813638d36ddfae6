// SPDX-License-Identifier: Apache-2.0
// The tiny models of tests/fixtures, whole or in parts that a test can spoil.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/arch/family.h"
#include "runtime/io/json.h"
#include "runtime/weights.h"

namespace vit {

/// All of them, in tests/fixtures/models.
std::vector<std::string> fixture_models();
/// Those of tests/fixtures/checkpoints, under names that fixture_folder() and Parts take.
std::vector<std::string> fixture_checkpoints();
std::string fixture_folder(const std::string& name);

struct GoldenTensor {
  Shape shape;
  std::vector<float> values;
};
using Goldens = std::map<std::string, GoldenTensor>;
Goldens read_goldens(const std::string& path);
/// The sizes that a model was run at: paths of goldens/HEIGHTxWIDTH.safetensors, sorted.
std::vector<std::string> golden_files(const std::string& folder);

/// A model's configuration and the list of its tensors, both to be changed before build().
struct Parts {
  explicit Parts(const std::string& name);
  BuiltModel build() const;
  /// The sentence of the Error(kModel) that build() throws; "" when it throws none.
  std::string refusal() const;
  Tensor& tensor(const std::string& name);
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& name);
  void add(const std::string& name, const Shape& shape);

  Json config;
  std::vector<Tensor> tensors;

 private:
  std::vector<Mapping> files_;
};

}  // namespace vit
