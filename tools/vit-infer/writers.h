// SPDX-License-Identifier: Apache-2.0
// The formats of classify and embed. Each result is written as it comes, in the order of the inputs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/api/vit.hpp"
#include "tools/common/output.h"

namespace vit::tool {

/// What one input gave. `classes` of classify and evaluate, `reference` the same in float32, of evaluate; `values` of embed and
/// of classify's npy: logits.
struct Answer {
  Classes classes, reference;
  std::vector<float> values;
};

enum class Task { kClassify, kEmbed };

class Writer {
 public:
  virtual ~Writer() = default;
  virtual void answer(const std::string& path, const Answer& answer) = 0;
  /// A failed input: json and jsonl have an object with its sentence, the other formats leave it out.
  virtual void failure(const std::string& path, const std::string& sentence);
  virtual void finish() {}
};

/// format: text, json, jsonl, csv, npy. `width`: values that each answer has.
std::unique_ptr<Writer> make_writer(const std::string& format, Task task, Output& output, size_t width);

}  // namespace vit::tool
