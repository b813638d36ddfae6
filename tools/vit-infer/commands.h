// SPDX-License-Identifier: Apache-2.0
// The commands of vit-infer. Each answers an exit code.
#pragma once

#include "tools/common/engine.h"

namespace vit::tool {

/// The table of commands and options.
const ProgramSpec& vit_infer_program();

/// classify and embed.
int run_images(const Arguments& arguments);
/// evaluate: how often the labels are right, and how near a precision is to float32.
int run_evaluate(const Arguments& arguments);
/// The same with what both sides are given: `reference` is in float32 what `model` is compared with.
int evaluate(const Arguments& arguments, const Model& model, const Model& reference);
/// Throws Failure where evaluate() would find no folders of the model's labels.
void require_label_folders(const Arguments& arguments, const Model& model);
/// run: tensors in, tensors out.
int run_tensors(const Arguments& arguments);
int run_info(const Arguments& arguments);
int run_explain(const Arguments& arguments);
/// check: models and images read, not run.
int run_check(const Arguments& arguments);

}  // namespace vit::tool
