// SPDX-License-Identifier: Apache-2.0
// Weights of common layers, taken from a file by name and shape.
#pragma once

#include <initializer_list>
#include <string>

#include "runtime/graph.h"
#include "runtime/io/json_fields.h"

namespace vit {

enum class Bias { kYes, kNo };

/// Rows of a matrix of the file; 0 when the file does not have it, or not as a matrix.
int64_t rows_in_file(const Weights& w, const std::string& name);

LinearWeights linear_weights(const Weights& w, const std::string& name, int64_t out, int64_t in, Bias bias = Bias::kYes);
/// Weight and bias, or gamma and beta as files that came from TensorFlow have them.
NormWeights norm_weights(const Weights& w, const std::string& name, int64_t channels);
/// Several layers of one input as one, outputs in order.
LinearWeights stacked(std::initializer_list<LinearWeights> parts);

/// Throws unless `name`, if the file has it, is of this shape; the sentence names the configuration's `field`, which says so.
void cross_check(const JsonFields& config, const char* field, const Weights& w, const std::string& name, const Shape& shape);

}  // namespace vit
