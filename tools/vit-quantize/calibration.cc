// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-quantize/calibration.h"

#include <algorithm>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/vit-infer/folder_walk.h"

namespace vit::tool {
namespace {

/// Evenly spaced ones out of all; the folder is walked twice, so that a large one takes no memory.
std::vector<Input> chosen(const std::string& folder) {
  size_t count = 0, at = 0;
  Input input;
  for (FolderWalk walk(folder, true); interrupted() == 0 && walk.next(input);) ++count;
  std::vector<Input> some;
  FolderWalk walk(folder, true);
  for (; some.size() < std::min(count, kCalibrationPictures) && walk.next(input); ++at)
    if (at == some.size() * count / std::min(count, kCalibrationPictures)) some.push_back(input);
  return some;
}

}  // namespace

CalibrationPictures read_calibration_pictures(const std::string& folder, const Model& model, const std::string& isa) {
  if (model.info().channels != 3)
    throw Failure(kUsage, "--calibrate: expected a model of pictures, of 3 channels, found one of " +
                              std::to_string(model.info().channels));
  Options options;
  options.threads = 1;
  options.isa = isa;
  Session session = open_session(model, options);
  CalibrationPictures read;
  const std::vector<Input> inputs = chosen(folder);
  for (const Input& input : inputs) {
    if (interrupted() != 0) throw Interrupted{interrupted()};
    std::string sentence = input.refusal;
    try {
      if (sentence.empty()) read.pixels.push_back(session.preprocess(Image::path(input.path)));
    } catch (const vit::Error& error) {
      sentence = error.what();
    }
    if (sentence.empty()) continue;
    if (inputs.size() == 1) throw Failure(kAllFailed, sentence);
    complain(sentence);
    ++read.failed;
  }
  if (read.pixels.empty()) throw Failure(kAllFailed, folder + ": expected pictures to calibrate on, found none that can be read");
  return read;
}

}  // namespace vit::tool
