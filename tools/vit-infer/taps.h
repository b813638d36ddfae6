// SPDX-License-Identifier: Apache-2.0
// --tap NODE=FILE.npy: values from inside the model, for comparing with other implementations.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/api/vit.hpp"
#include "tools/common/npy.h"
#include "tools/common/output.h"

namespace vit::tool {

class Taps {
 public:
  /// `specs` as on the command line; `one` input: `pixels` then has no axis for images. Opens all files: throws Failure.
  Taps(const std::vector<std::string>& specs, bool one, const std::string& output);
  /// The nodes that the session must keep.
  std::vector<std::string> nodes() const;
  bool wants_pixels() const;
  bool wants_any() const { return !taps_.empty(); }
  /// Appends the values of the last run. Throws std::runtime_error when a file cannot hold the new shape; then nothing was
  /// appended.
  void collect(const Session& session);
  /// Completes the files; those of which no input succeeded are not made.
  void finish();

 private:
  struct Tap {
    std::string node;
    std::unique_ptr<Output> output;
    std::unique_ptr<NpyWriter> writer;
  };
  std::vector<Tap> taps_;
  size_t collected_ = 0;
};

}  // namespace vit::tool
