// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime/api/vit.hpp"

namespace vit::tool {

/// So many pictures of a folder are calibrated on.
constexpr size_t kCalibrationPictures = 32;

struct CalibrationPictures {
  std::vector<Pixels> pixels;  ///< as the model sees them
  size_t failed = 0;           ///< others that could not be read, and were told of
};

/// Reads kCalibrationPictures of the folder and its subfolders, or all where it has fewer: evenly spaced in the order in which
/// folders are always listed, so that the same folder gives the same. Throws Failure(kAllFailed) when there are none,
/// Failure(kUsage) when the model takes no pictures.
CalibrationPictures read_calibration_pictures(const std::string& folder, const Model& model, const std::string& isa);

}  // namespace vit::tool
