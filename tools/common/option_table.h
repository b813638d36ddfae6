// SPDX-License-Identifier: Apache-2.0
// What the parser, --help, manual pages and completions read from the table of options.
#pragma once

#include <string>
#include <vector>

#include "tools/common/arguments.h"

namespace vit::tool {

/// The program's options and those that every program has.
std::vector<OptionSpec> all_options(const ProgramSpec& program);
/// "model" of "-m,--model".
std::string long_name(const OptionSpec& option);
/// "-m" of "-m,--model"; empty where there is none.
std::string short_name(const OptionSpec& option);
/// The words of a value that is written as "text|json"; empty for any other, which is written with capitals.
std::vector<std::string> choices(const OptionSpec& option);
/// What stands in brackets at the end of the help.
std::string default_text(const OptionSpec& option);
/// "VIT_TOP_K" of "--top-k".
std::string variable_name(const OptionSpec& option);
/// The word that is at most two edits away, or nothing.
std::string closest(const std::string& word, const std::vector<std::string>& words);
/// Names of the commands that have the option; empty: all.
std::vector<std::string> commands_with(const ProgramSpec& program, const OptionSpec& option);

/// --help of a command.
std::string help_text(const ProgramSpec& program, size_t command);
/// --generate: bash, zsh, fish, man. Throws Failure(kUsage) for another word.
std::string generate(const ProgramSpec& program, const std::string& what);

}  // namespace vit::tool
