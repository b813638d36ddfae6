// SPDX-License-Identifier: Apache-2.0
// Completion scripts and manual pages, from the table of options.
#include <algorithm>

#include "runtime/api/vit.h"
#include "tools/common/failure.h"
#include "tools/common/option_table.h"

namespace vit::tool {
namespace {

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

/// In single quotes, for any shell.
std::string quoted(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

std::string function_name(const ProgramSpec& program) { return "_" + replaced(program.name, "-", "_"); }

/// Commands that a person can name; none where the program does one thing.
std::vector<std::string> command_names(const ProgramSpec& program) {
  std::vector<std::string> names;
  if (program.commands.size() < 2) return names;
  for (const CommandSpec& command : program.commands) names.emplace_back(command.name);
  return names;
}

std::vector<OptionSpec> options_of(const ProgramSpec& program, size_t command) {
  std::vector<OptionSpec> options;
  for (const OptionSpec& option : all_options(program))
    if ((option.commands >> command & 1) != 0) options.push_back(option);
  return options;
}

std::vector<std::string> spellings(const OptionSpec& option) {
  std::vector<std::string> names;
  if (!short_name(option).empty()) names.push_back(short_name(option));
  names.push_back("--" + long_name(option));
  return names;
}

std::string bash(const ProgramSpec& program) {
  const std::vector<std::string> commands = command_names(program);
  std::string text = "# bash completion for " + std::string(program.name) + "\n" + function_name(program) +
                     "() {\n"
                     "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=" +
                     program.commands[0].name +
                     " options word\n"
                     "  COMPREPLY=()\n"
                     "  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n";
  if (!commands.empty())
    text += "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in " + joined(commands, "|") +
            ") command=$word; break ;; esac\n  done\n";
  text += "  case $command in\n";
  for (size_t i = 0; i < program.commands.size(); ++i) {
    std::vector<std::string> names, valued;
    std::string words;
    for (const OptionSpec& option : options_of(program, i)) {
      const std::vector<std::string> own = spellings(option);
      names.insert(names.end(), own.begin(), own.end());
      if (const auto list = choices(option); !list.empty())
        words += "        " + joined(own, "|") + ") COMPREPLY=($(compgen -W " + quoted(joined(list, " ")) +
                 " -- \"$cur\")); return ;;\n";
      else if (*option.value != '\0')
        valued.insert(valued.end(), own.begin(), own.end());
    }
    text += "    " + std::string(program.commands[i].name) + ")\n      options=" + quoted(joined(names, " ")) +
            "\n      case $prev in\n" + words + "        " + joined(valued, "|") + ") return ;;\n      esac ;;\n";
  }
  text += "  esac\n  if [[ $cur == -* ]]; then\n    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n";
  if (!commands.empty())
    text += "  elif ((COMP_CWORD == 1)); then\n    COMPREPLY=($(compgen -W " + quoted(joined(commands, " ")) +
            " -- \"$cur\") $(compgen -f -- \"$cur\"))\n";
  return text + "  fi\n}\ncomplete -o default -o bashdefault -F " + function_name(program) + " " + program.name + "\n";
}

std::string zsh_option(const OptionSpec& option) {
  const bool repeated = (option.flags & kRepeated) != 0, valued = *option.value != '\0';
  const std::string name = "--" + long_name(option) + (valued ? "=" : ""), brief = short_name(option);
  std::string help = option.help;
  for (const char* c : {"\\", "[", "]", ":"}) help = replaced(help, c, std::string("\\") + c);
  std::string rest = "[" + help + "]";
  if (valued) {
    const std::vector<std::string> words = choices(option);
    const std::string value = option.value;
    rest += ":" + replaced(words.empty() ? value : "value", ":", "\\:") + ":" +
            (!words.empty()                            ? "(" + joined(words, " ") + ")"
             : value == "DIR"                          ? "_files -/"
             : value.find("FILE") != std::string::npos ? "_files"
                                                       : " ");
  }
  const std::string star = repeated ? "*" : "";
  if (brief.empty()) return quoted(star + name + rest);
  const std::string excluded = repeated ? "*" : "(" + brief + " --" + long_name(option) + ")";
  return quoted(excluded + brief + (valued ? "+" : "") + rest) + " " + quoted(excluded + name + rest);
}

std::string zsh(const ProgramSpec& program) {
  const std::vector<std::string> commands = command_names(program);
  const std::string name = function_name(program);
  std::string text = "#compdef " + std::string(program.name) + "\n" + name + "_operands() {\n  ";
  text += commands.empty()
              ? "_files\n"
              : "_alternative " + quoted("commands:command:(" + joined(commands, " ") + ")") + " 'files:file:_files'\n";
  text += "}\n" + name + "() {\n  local command=" + program.commands[0].name + " word\n  local -a options\n";
  if (!commands.empty())
    text += "  for word in ${words[2,CURRENT-1]}; do\n    case $word in\n      (" + joined(commands, "|") +
            ") command=$word; break ;;\n    esac\n  done\n";
  text += "  case $command in\n";
  for (size_t i = 0; i < program.commands.size(); ++i) {
    text += "    (" + std::string(program.commands[i].name) + ") options=(\n";
    for (const OptionSpec& option : options_of(program, i)) text += "      " + zsh_option(option) + "\n";
    text += "    ) ;;\n";
  }
  return text + "  esac\n  _arguments -s $options " + quoted("*:input:" + name + "_operands") + "\n}\n" + name + " \"$@\"\n";
}

std::string fish(const ProgramSpec& program) {
  const std::string start = "complete -c " + std::string(program.name);
  std::string text = "# fish completion for " + std::string(program.name) + "\n";
  if (program.commands.size() > 1)
    for (const CommandSpec& command : program.commands)
      text += start + " -n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.help) + "\n";
  for (const OptionSpec& option : all_options(program)) {
    const std::vector<std::string> with = commands_with(program, option);
    std::string condition;
    if (!with.empty() && (option.commands & 1) == 0) condition = "__fish_seen_subcommand_from " + joined(with, " ");
    if (!with.empty() && (option.commands & 1) != 0) {
      condition = "not __fish_seen_subcommand_from";
      for (const CommandSpec& command : program.commands)
        if (std::find(with.begin(), with.end(), command.name) == with.end()) condition += std::string(" ") + command.name;
    }
    text += start + (condition.empty() ? "" : " -n " + quoted(condition));
    if (const std::string brief = short_name(option); !brief.empty()) text += " -s " + brief.substr(1);
    text += " -l " + long_name(option);
    const std::vector<std::string> words = choices(option);
    if (!words.empty()) text += " -x -a " + quoted(joined(words, " "));
    if (words.empty() && *option.value != '\0') text += " -r";
    text += " -d " + quoted(option.help) + "\n";
  }
  return text;
}

/// Text as troff takes it: a dash stays a dash, and no line is a request.
std::string troff(const std::string& text) {
  const std::string safe = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  return (safe.starts_with('.') || safe.starts_with('\'') ? "\\&" : "") + safe;
}

constexpr const char* kRevised = "2026-11-24";  // when the text below last changed
constexpr const char* kManualEnd = R"(.SH SETTINGS
An option that the command line does not have is looked for in the environment, as
.B VIT_
and its name in capitals with underscores
.RB ( VIT_THREADS
for
.BR \-\-threads ),
then in the settings file, then the default holds. The file has lines
.IR "option = value" ,
comments after
.B #
at the start of a line, and sections
.B [PROGRAM]
or
.BR [COMMAND] ,
whose lines hold for these alone. A switch is
.B yes
or
.BR no .
.B \-\-print\-config
shows what holds and why.
.SH ENVIRONMENT
.TP
.B VIT_CONFIG
The settings file.
.TP
.B VIT_ISA
The instruction set, also for programs of others that use the library.
.TP
.B NO_COLOR
No colours on a terminal.
.SH FILES
.TP
.I $XDG_CONFIG_HOME/vitesse/config
Settings;
.I ~/.config/vitesse/config
where the variable is not set.
.SH EXIT STATUS
.TP
.B 0
All done.
.TP
.B 1
Some inputs failed, the rest is written.
.TP
.B 2
The command line or the settings make no sense, or ask for what this CPU or build cannot do.
.TP
.B 3
The model cannot be loaded.
.TP
.B 4
The results cannot be written.
.TP
.B 5
Every input failed.
)";

std::string man(const ProgramSpec& program) {
  const std::string name = program.name, about = program.about;
  const size_t colon = about.find(": ");
  const std::string brief = about.substr(colon == std::string::npos ? 0 : colon + 2);
  std::string capitals = name;
  for (char& c : capitals) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  std::string text = ".TH " + capitals + " 1 " + kRevised + " \"Vitesse " + vit_version() + "\" \"User Commands\"\n.SH NAME\n" +
                     troff(name) + " \\- " + troff(brief.substr(0, brief.size() - (brief.ends_with('.') ? 1 : 0))) +
                     "\n.SH SYNOPSIS\n";
  const bool several = program.commands.size() > 1;
  for (size_t i = 0; i < program.commands.size(); ++i)
    text += std::string(i == 0 ? "" : ".br\n") + ".B " + troff(name) +
            (several ? std::string(" ") + program.commands[i].name : "") + "\n[\\fIOPTIONS\\fR] " +
            troff(program.commands[i].inputs) + "\n";
  text += ".SH DESCRIPTION\n" + troff(about) + "\nResults go to standard output, everything else to standard error.\n";
  if (several) {
    text += ".SH COMMANDS\n" + troff(std::string(program.commands[0].name) + " is meant when none is named.") + "\n";
    for (const CommandSpec& command : program.commands)
      text += ".TP\n.B " + troff(command.name) + "\n" + troff(command.help) + ".\n";
  }
  text += ".SH OPTIONS\n";
  for (const OptionSpec& option : all_options(program)) {
    text += ".TP\n\\fB" + replaced(troff(joined(spellings(option), ", ")), ", ", "\\fR, \\fB") + "\\fR" +
            (*option.value == '\0' ? "" : " \\fI" + troff(option.value) + "\\fR") + "\n" + troff(option.help) + ".\n";
    if ((option.flags & kRepeated) != 0) text += "It may be given several times.\n";
    if (const auto with = commands_with(program, option); !with.empty()) text += "Commands: " + troff(joined(with, ", ")) + ".\n";
  }
  return text + kManualEnd;
}

}  // namespace

std::string generate(const ProgramSpec& program, const std::string& what) {
  if (what == "bash") return bash(program);
  if (what == "zsh") return zsh(program);
  if (what == "fish") return fish(program);
  if (what == "man") return man(program);
  throw Failure(kUsage, "--generate: expected one of bash, zsh, fish, man, found '" + what + "'");
}

}  // namespace vit::tool
