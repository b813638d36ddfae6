// SPDX-License-Identifier: Apache-2.0
// Values of options that the command line does not have: from the environment, then from the settings file.
#pragma once

#include "tools/common/arguments.h"

namespace vit::tool {

/// Adds to `arguments` what the command's options are set to elsewhere, with its origin. Throws Failure(kUsage) for a settings
/// file that is named and missing, or damaged: it is at most 64 KiB of lines `option = value`, comments (#) and sections
/// ([PROGRAM] or [COMMAND]; those of other programs are passed over).
void add_settings(const ProgramSpec& program, const CommandSpec& command, Arguments& arguments);

/// --print-config: each option of the command, its value and where it comes from, as text or JSON.
std::string settings_text(const ProgramSpec& program, size_t command, const Arguments& arguments);

}  // namespace vit::tool
