// SPDX-License-Identifier: Apache-2.0
#include "tools/common/arguments.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "runtime/api/vit.h"
#include "tools/common/failure.h"
#include "tools/common/option_table.h"
#include "tools/common/output.h"
#include "tools/common/settings.h"

namespace vit::tool {
namespace {

/// The option that a word names, "-m", "--model" or "--model=..."; nullptr when there is none.
const OptionSpec* find_option(const std::vector<OptionSpec>& options, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  for (const OptionSpec& option : options) {
    const std::string names = option.names;
    if (name == "--" + long_name(option) || (names[1] != '-' && name == names.substr(0, 2))) return &option;
  }
  return nullptr;
}

[[noreturn]] void refuse_option(const ProgramSpec& program, const CommandSpec& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const std::vector<OptionSpec> options = all_options(program);
  if (find_option(options, name) != nullptr) throw Failure(kUsage, name + ": is no option of " + command.name);
  std::vector<std::string> names;
  for (const OptionSpec& option : options) names.push_back("--" + long_name(option));
  const std::string near = closest(name, names);
  throw Failure(kUsage, "unknown option " + name + (near.empty() ? "; --help lists them" : "; did you mean " + near + "?"));
}

/// The words of a command line, apart: options as "--name=value" in one word, whatever the value looks like, and the rest.
struct Words {
  std::vector<std::string> options, inputs;
  size_t command = 0;
};

Words sort_words(const ProgramSpec& program, const std::vector<std::string>& words) {
  const std::vector<OptionSpec> options = all_options(program);
  Words out;
  bool only_inputs = false, first = true;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_inputs || word.size() < 2 || word[0] != '-') {
      // As git and others have it: `vit-infer help`, `vit-infer help info`.
      if (first && !only_inputs && (word == "help" || word == "version") && access(word.c_str(), F_OK) != 0) {
        out.options.push_back("--" + word);
        continue;
      }
      const auto named =
          std::find_if(program.commands.begin(), program.commands.end(), [&](const CommandSpec& c) { return word == c.name; });
      if (first && !only_inputs && named != program.commands.end())
        out.command = static_cast<size_t>(named - program.commands.begin());
      else
        out.inputs.push_back(word);
      first = false;
    } else if (word == "--") {
      only_inputs = true;
    } else if (const OptionSpec* option = find_option(options, word);
               option != nullptr && *option->value != '\0' && word.find('=') == std::string::npos) {
      if (i + 1 == words.size() || (words[i + 1].size() > 1 && find_option(options, words[i + 1]) != nullptr))
        throw Failure(kUsage, word + ": its value (" + option->value + ") is missing");
      const std::string& value = words[++i];
      if (value.empty()) throw Failure(kUsage, word + ": its value (" + option->value + ") is empty");
      out.options.push_back("--" + long_name(*option) + "=" + value);
    } else {
      out.options.push_back(word);
    }
  }
  return out;
}

/// Declares the command's options; their values go to `values` by long name.
void declare(CLI::App& app, const std::vector<OptionSpec>& options, size_t command,
             std::map<std::string, std::vector<std::string>>& values) {
  for (const OptionSpec& option : options) {
    if ((option.commands >> command & 1) == 0) continue;
    const std::string name = long_name(option);
    if (*option.value == '\0') {
      app.add_flag_callback(
          option.names, [&values, name] { values[name]; }, option.help);
      continue;
    }
    app.add_option(option.names, values[name], option.help)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

void print(const std::string& text) {
  Output out("-");
  out.write(text);
  out.commit();
}

/// A first word that is neither a file nor a command, but nearly one.
void refuse_near_command(const ProgramSpec& program, const std::vector<std::string>& inputs) {
  if (program.commands.size() < 2 || inputs.empty() || access(inputs[0].c_str(), F_OK) == 0) return;
  std::vector<std::string> names;
  for (const CommandSpec& command : program.commands) names.emplace_back(command.name);
  if (const std::string near = closest(inputs[0], names); !near.empty())
    throw Failure(kUsage, inputs[0] + ": neither a file nor a command; did you mean " + near + "?");
}

/// Every value of an option that has words is one of them.
void check_choices(const std::vector<OptionSpec>& options, size_t command, const Arguments& arguments) {
  for (const OptionSpec& option : options) {
    const std::vector<std::string> words = choices(option);
    if ((option.commands >> command & 1) == 0 || words.empty()) continue;
    std::string list;
    for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
    const std::string name = long_name(option);
    for (const std::string& value : arguments.texts(name))
      if (std::find(words.begin(), words.end(), value) == words.end())
        throw Failure(kUsage, arguments.named(name) + ": expected one of " + list + ", found '" + value + "'");
  }
}

/// What is asked for instead of a run; empty: nothing.
std::string instead_of_running(const ProgramSpec& program, size_t command, const Arguments& arguments) {
  if (arguments.has("help")) return help_text(program, command);
  if (arguments.has("version")) return std::string(program.name) + " " + vit_version() + "\n";
  if (arguments.has("generate")) return generate(program, arguments.text("generate", ""));
  return "";
}

}  // namespace

std::optional<Arguments> parse_arguments(const ProgramSpec& program, int argc, char** argv) {
  const std::vector<std::string> raw(argv + std::min(argc, 1), argv + argc);
  const Words words = sort_words(program, raw);
  const CommandSpec& command = program.commands[words.command];
  const std::vector<OptionSpec> options = all_options(program);

  Arguments out;
  out.command = command.name;
  out.inputs = words.inputs;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  declare(app, options, words.command, out.options);
  try {
    app.parse(std::vector<std::string>(words.options.rbegin(), words.options.rend()));
  } catch (const CLI::ParseError& error) {
    throw Failure(kUsage, error.what());
  }
  for (const std::string& word : app.remaining()) refuse_option(program, command, word);
  if (*command.inputs == '\0' && !out.inputs.empty())
    throw Failure(kUsage, out.command + ": takes no inputs, found '" + out.inputs[0] + "'");
  // Declaring an option makes its entry, and a switch has no values: what is left are the options that were given.
  for (const OptionSpec& option : options)
    if (*option.value != '\0' && out.has(long_name(option)) && out.options[long_name(option)].empty())
      out.options.erase(long_name(option));
  if (const std::string text = instead_of_running(program, words.command, out); !text.empty()) return print(text), std::nullopt;
  add_settings(program, command, out);
  if (out.has("print-config")) return print(settings_text(program, words.command, out)), std::nullopt;
  check_choices(options, words.command, out);
  refuse_near_command(program, out.inputs);
  return out;
}

}  // namespace vit::tool
