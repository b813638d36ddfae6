// SPDX-License-Identifier: Apache-2.0
// timm's registered Vision Transformers: what a name stands for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vit {

/// An entry of a class that this library runs. JSON texts live as long as the program.
struct TimmEntry {
  std::string name;              ///< without the tag
  std::string tag;               ///< as asked for, or the default one
  std::string_view model_class;  ///< "VisionTransformer" or "VisionTransformerDistilled"
  std::string_view arguments;    ///< object of the arguments that differ from the class's defaults
  std::string_view pretrained;   ///< object of the tag's preprocessing and number of classes
};

/// `name`: "vit_small_patch16_224", with or without ".tag", or an old name that timm has since given up. `what` starts the
/// sentence of an Error(kModel): the name is of a class that is not run, or unknown; then the nearest names are proposed.
TimmEntry find_timm_entry(const std::string& name, const std::string& what);

/// Names of all entries that find_timm_entry() knows and can answer, in order.
std::vector<std::string> timm_entry_names();

/// Names of the hybrids: of the same classes, but with a convolutional network below that is not run.
std::vector<std::string> timm_hybrid_names();

}  // namespace vit
