// SPDX-License-Identifier: Apache-2.0
// From options to a model that is ready to run: the same in every command and program.
#pragma once

#include <string>
#include <vector>

#include "runtime/api/vit.hpp"
#include "tools/common/arguments.h"

namespace vit::tool {

/// Height and width of --size: "384" or "256x384".
struct Size {
  size_t height = 0, width = 0;
};
/// {0, 0} where the option is absent. Throws Failure(kUsage).
Size parse_size(const Arguments& arguments);

/// The options --threads --backend --isa --precision --size --exif --pillow-order --dct-scale --max-pixels, checked. Throws
/// Failure(kUsage).
Options parse_session_options(const Arguments& arguments);

/// The model of --model, or the demonstration model; --arch names the architecture of weights without a configuration.
/// kAllowed: --arch alone is a model with random weights. Throws Failure(kModel).
enum class Untrained { kRefused, kAllowed };
Model open_model(const Arguments& arguments, Untrained untrained = Untrained::kRefused);

/// Throws Failure(kUsage) where the options ask for what does not exist, else Failure(kModel).
Session open_session(const Model& model, const Options& options);

/// What --precision says, or the model's own: "f32", "bf16", "int8" or "auto".
std::string precision_name(const Arguments& arguments, const Model& model);

/// On standard error, unless --quiet: what --precision auto has chosen, or that bf16 is slow on this CPU.
void tell_about_precision(const Arguments& arguments, const Session& session);

}  // namespace vit::tool
