// SPDX-License-Identifier: Apache-2.0
// Command lines from one table: the parser and its help are made from it.
#pragma once

#include <cstdint>
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

enum OptionFlags : unsigned {
  kRepeated = 1,  ///< all values count, not only the last
  kPerRun = 2     ///< the command line's alone: no setting of the environment or the settings file
};

struct OptionSpec {
  const char* names;  ///< "-m,--model"
  const char* value;  ///< what stands for the value in the help, "text|json" for words to choose from; empty for a switch
  const char* help;   ///< with the default in brackets at its end
  unsigned commands;  ///< bit i: the i-th command has it
  unsigned flags = 0;
};

/// Words and help that every program's table has the same.
inline constexpr char kIsaWords[] = "sse2|avx2|avx512|avx512vnni|avx512bf16|amx|neon";
inline constexpr char kPrecisionWords[] = "f32|bf16|int8|auto";
inline constexpr char kPrecisionHelp[] =
    "What layers multiply in; auto: bf16 where the CPU has it, else f32 [the model's own: f32, or what a .vit file was made for]";

struct ProgramSpec {
  const char* name;
  const char* about;
  std::span<const CommandSpec> commands;
  std::span<const OptionSpec> options;
};

/// What a command line says. Options go by their long name without dashes; where the table has words for a value, it is one of
/// them. All functions throw Failure(kUsage).
class Arguments {
 public:
  std::string command;
  std::vector<std::string> inputs;
  std::map<std::string, std::vector<std::string>> options;
  std::map<std::string, std::string> origins;  ///< of options that the command line does not have

  bool has(const std::string& name) const { return options.count(name) != 0; }
  /// How sentences call the option: "--top-k", "VIT_TOP_K" or "FILE, line 3: top-k".
  std::string named(const std::string& name) const;
  /// The last value given.
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<std::string> texts(const std::string& name) const;
  uint64_t whole(const std::string& name, uint64_t smallest, uint64_t largest, uint64_t otherwise) const;
};

/// Nothing when the command line asked for something to be printed, as --help does, and it was.
std::optional<Arguments> parse_arguments(const ProgramSpec& program, int argc, char** argv);

}  // namespace vit::tool
