// SPDX-License-Identifier: Apache-2.0
// --help, from the table of options.
#include "tools/common/option_table.h"

namespace vit::tool {
namespace {

constexpr size_t kColumns = 100, kIndent = 30;

/// "  left   right", the right side in as many lines as it needs.
std::string entry(std::string left, const std::string& right, size_t indent) {
  std::string line = "  " + left, text;
  if (line.size() + 2 > indent) {
    text = line + "\n";
    line.clear();
  }
  line.resize(indent, ' ');
  for (size_t at = 0; at < right.size();) {
    const size_t end = std::min(right.find(' ', at), right.size());
    if (line.size() > indent && line.size() + end - at + 1 > kColumns) {
      text += line + "\n";
      line.assign(indent, ' ');
    }
    if (line.size() > indent) line += ' ';
    line += right.substr(at, end - at);
    at = end + 1;
  }
  return text + line + "\n";
}

}  // namespace

std::string help_text(const ProgramSpec& program, size_t command) {
  const CommandSpec& spec = program.commands[command];
  const bool several = program.commands.size() > 1;
  const std::string inputs = spec.inputs;
  std::string text = std::string("Usage: ") + program.name + (several ? std::string(" ") + spec.name : "") + " [OPTIONS]" +
                     (inputs.empty() ? "" : " ") + inputs + "\n\n" + program.about + "\n";
  if (several) text += std::string(spec.name) + ": " + spec.help + ".\n";
  text += "\nOptions:\n";
  for (const OptionSpec& option : all_options(program)) {
    if ((option.commands >> command & 1) == 0) continue;
    const std::string brief = short_name(option);
    text += entry(
        (brief.empty() ? "    " : brief + ", ") + "--" + long_name(option) + (*option.value == '\0' ? "" : " ") + option.value,
        std::string(option.help) + ((option.flags & kRepeated) != 0 ? " (repeatable)" : ""), kIndent);
  }
  if (!several) return text;
  text += "\nCommands:\n";
  for (const CommandSpec& one : program.commands) text += entry(one.name, one.help, 14);
  return text + "\n" + program.name + " COMMAND --help shows the options of a command; " + program.commands[0].name +
         " is meant when none is named.\n";
}

}  // namespace vit::tool
