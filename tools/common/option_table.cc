// SPDX-License-Identifier: Apache-2.0
#include "tools/common/option_table.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

namespace vit::tool {
namespace {

constexpr OptionSpec kGeneral[] = {
    {"--config", "FILE", "Settings [VIT_CONFIG, or vitesse/config in $XDG_CONFIG_HOME or ~/.config]", ~0u, kPerRun},
    {"--print-config", "", "Show the value of each option and where it comes from, and end", ~0u, kPerRun},
    {"--generate", "bash|zsh|fish|man", "Print the shell's completion script or the manual page, and end", ~0u, kPerRun},
    {"-h,--help", "", "Show this text and end", ~0u, kPerRun},
    {"--version", "", "Show the version and end", ~0u, kPerRun},
};

/// Levenshtein's distance.
size_t edits(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::vector<OptionSpec> all_options(const ProgramSpec& program) {
  std::vector<OptionSpec> all(program.options.begin(), program.options.end());
  all.insert(all.end(), std::begin(kGeneral), std::end(kGeneral));
  return all;
}

std::string long_name(const OptionSpec& option) {
  const std::string names = option.names;
  return names.substr(names.find("--") + 2);
}

std::string short_name(const OptionSpec& option) { return option.names[1] == '-' ? "" : std::string(option.names).substr(0, 2); }

std::vector<std::string> choices(const OptionSpec& option) {
  std::vector<std::string> words;
  const std::string value = option.value;
  const bool capitals = std::any_of(value.begin(), value.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (value.empty() || capitals) return words;
  for (size_t at = 0; at <= value.size();) {
    const size_t end = std::min(value.find('|', at), value.size());
    words.push_back(value.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string default_text(const OptionSpec& option) {
  const std::string help = option.help;
  const size_t open = help.rfind('[');
  return help.ends_with(']') && open != std::string::npos ? help.substr(open + 1, help.size() - open - 2) : "";
}

std::string variable_name(const OptionSpec& option) {
  std::string name = "VIT_" + long_name(option);
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string closest(const std::string& word, const std::vector<std::string>& words) {
  std::string best;
  size_t distance = 3;
  for (const std::string& candidate : words) {
    const size_t d = edits(word, candidate);
    if (d >= distance || d >= candidate.size()) continue;
    distance = d;
    best = candidate;
  }
  return best;
}

std::vector<std::string> commands_with(const ProgramSpec& program, const OptionSpec& option) {
  std::vector<std::string> names;
  for (size_t i = 0; i < program.commands.size(); ++i)
    if ((option.commands >> i & 1) != 0) names.emplace_back(program.commands[i].name);
  if (names.size() == program.commands.size()) names.clear();
  return names;
}

}  // namespace vit::tool
