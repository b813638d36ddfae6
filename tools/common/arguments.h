// SPDX-License-Identifier: Apache-2.0
// Command lines from one table: the parser and its help are made from it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vit::tool {

struct CommandSpec {
  const char* name;    ///< the first one is meant when none is named
  const char* inputs;  ///< what follows the options in the usage line; empty: nothing may
  const char* help;
};

struct OptionSpec {
  const char* names;  ///< "-m,--model"
  const char* value;  ///< what stands for the value in the help; empty for a switch
  const char* help;   ///< with the default
  unsigned commands;  ///< bit i: the i-th command has it
  bool repeated = false;
};

struct ProgramSpec {
  const char* name;
  const char* about;
  std::span<const CommandSpec> commands;
  std::span<const OptionSpec> options;
};

/// What a command line says. Options go by their long name without dashes. All functions throw Failure(kUsage).
class Arguments {
 public:
  std::string command;
  std::vector<std::string> inputs;
  std::map<std::string, std::vector<std::string>> options;

  bool has(const std::string& name) const { return options.count(name) != 0; }
  /// The last value given.
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<std::string> texts(const std::string& name) const;
  /// One of the words.
  std::string choice(const std::string& name, std::initializer_list<const char*> words, const std::string& otherwise) const;
  uint64_t whole(const std::string& name, uint64_t smallest, uint64_t largest, uint64_t otherwise) const;
};

/// Nothing when the command line asked for help or the version, which then was printed.
std::optional<Arguments> parse_arguments(const ProgramSpec& program, int argc, char** argv);

}  // namespace vit::tool
