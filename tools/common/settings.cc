// SPDX-License-Identifier: Apache-2.0
#include "tools/common/settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tools/common/failure.h"
#include "tools/common/option_table.h"
#include "tools/common/text.h"

namespace vit::tool {
namespace {

constexpr size_t kLargestFile = 64 << 10;
constexpr const char* kPrograms[] = {"vit-infer", "vit-bench", "vit-quantize"};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Where the settings are when nobody says so; empty: nowhere.
std::string usual_file() {
  const std::string xdg = variable("XDG_CONFIG_HOME"), home = variable("HOME");
  if (xdg.starts_with('/')) return xdg + "/vitesse/config";
  return home.starts_with('/') ? home + "/.config/vitesse/config" : "";
}

std::string read_settings(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) throw Failure(kUsage, path + ": the settings cannot be opened: " + std::strerror(errno));
  std::string text(kLargestFile + 1, '\0');
  size_t size = 0;
  ssize_t got = 0;
  const bool readable = S_ISREG(info.st_mode) || S_ISCHR(info.st_mode);
  while (readable && size < text.size() && (got = read(fd, text.data() + size, text.size() - size)) > 0)
    size += static_cast<size_t>(got);
  const int error = errno;
  close(fd);
  if (!readable)
    throw Failure(kUsage,
                  path + ": expected a file of settings, found " + (S_ISDIR(info.st_mode) ? "a folder" : "no regular file"));
  if (got < 0) throw Failure(kUsage, path + ": the settings cannot be read: " + std::strerror(error));
  if (size > kLargestFile) throw Failure(kUsage, path + ": expected settings of at most 65536 bytes, the file has more");
  text.resize(size);
  return text;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r"), last = text.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::string shortened(const std::string& text) { return text.size() <= 60 ? text : text.substr(0, 60) + "..."; }

/// Sets an option; a switch by yes or no.
void set(const OptionSpec& option, const std::string& value, const std::string& origin, Arguments& to) {
  const std::string name = long_name(option);
  if (value.find('\0') != std::string::npos) throw Failure(kUsage, origin + ": the value has a zero byte");
  if (*option.value != '\0') {
    to.options[name].push_back(value);
  } else if (value == "yes" || value == "true" || value == "1") {
    to.options[name];
  } else if (value == "no" || value == "false" || value == "0") {
    to.options.erase(name);
  } else {
    throw Failure(kUsage, origin + ": expected yes or no, found '" + shortened(value) + "'");
  }
  to.origins[name] = origin;
}

bool has_word(const OptionSpec& option, const std::string& value) {
  const std::vector<std::string> words = choices(option);
  return std::find(words.begin(), words.end(), value) != words.end();
}

/// Whether a setting is meant for other commands: `format = csv` is a form of classify's results, and none of info's.
bool for_others(const std::vector<OptionSpec>& all, const OptionSpec& own, const std::string& value) {
  return !choices(own).empty() && !has_word(own, value) && std::any_of(all.begin(), all.end(), [&](const OptionSpec& other) {
    return long_name(other) == long_name(own) && has_word(other, value);
  });
}

/// The lines of one settings file that concern a command.
class SettingsFile {
 public:
  SettingsFile(const ProgramSpec& program, const CommandSpec& command, std::string path)
      : program_(program), command_(command), path_(std::move(path)), options_(all_options(program)) {}

  /// Settings that `taken` has already, from elsewhere, stay as they are.
  void read(const Arguments& taken, Arguments& to) {
    const std::string text = read_settings(path_);
    for (size_t at = 0; at < text.size(); ++number_) {
      const size_t end = std::min(text.find('\n', at), text.size());
      line(trimmed(text.substr(at, end - at)), taken, to);
      at = end + 1;
    }
  }

 private:
  std::string place() const { return path_ + ", line " + std::to_string(number_); }

  void line(const std::string& text, const Arguments& taken, Arguments& to) {
    if (text.empty() || text[0] == '#') return;
    if (text[0] == '[') return section(text);
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw Failure(kUsage, place() + ": expected `option = value`, a [section] or a # comment, found '" + shortened(text) + "'");
    if (use_ != Use::kOther) assign(trimmed(text.substr(0, equals)), trimmed(text.substr(equals + 1)), taken, to);
  }

  void section(const std::string& text) {
    const std::string name = text.ends_with(']') ? trimmed(text.substr(1, text.size() - 2)) : "";
    if (name == program_.name || name == command_.name) {
      use_ = Use::kThis;
      return;
    }
    use_ = Use::kOther;
    std::vector<std::string> known(std::begin(kPrograms), std::end(kPrograms));
    for (const CommandSpec& command : program_.commands) known.emplace_back(command.name);
    // Sections of another program's commands cannot be told from mistakes, but near misses of ours can.
    const std::string near = closest(name, known);
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    if (name.empty() || !near.empty())
      throw Failure(kUsage, place() + ": expected a section [PROGRAM] or [COMMAND], found '" + shortened(text) + "'" +
                                (near.empty() ? "" : "; did you mean [" + near + "]?"));
  }

  void assign(const std::string& name, const std::string& value, const Arguments& taken, Arguments& to) {
    const OptionSpec* own = nullptr;
    bool known = false, per_run = false;
    std::vector<std::string> names;
    const auto index = static_cast<size_t>(&command_ - program_.commands.data());
    for (const OptionSpec& option : options_) {
      if ((option.flags & kPerRun) == 0) names.push_back(long_name(option));
      if (long_name(option) != name) continue;
      known = true;
      per_run |= (option.flags & kPerRun) != 0;
      if ((option.commands >> index & 1) != 0) own = &option;
    }
    if (per_run) throw Failure(kUsage, place() + ": " + name + " is for the command line alone");
    if (!known) {
      const std::string near = closest(name, names);
      throw Failure(
          kUsage, place() + ": unknown option '" + shortened(name) + "'" + (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    if (value.empty()) throw Failure(kUsage, place() + ": the value of " + name + " is missing");
    if (own == nullptr || taken.has(name) || taken.origins.count(name) != 0 || for_others(options_, *own, value)) return;
    const bool path = std::string(own->value) == "DIR" || std::string(own->value) == "FILE";
    const std::string home = variable("HOME");
    set(*own, path && value.starts_with("~/") && !home.empty() ? home + value.substr(1) : value, place() + ": " + name, to);
  }

  enum class Use { kThis, kOther };
  const ProgramSpec& program_;
  const CommandSpec& command_;
  std::string path_;
  std::vector<OptionSpec> options_;
  size_t number_ = 1;
  Use use_ = Use::kThis;
};

bool exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 || errno != ENOENT;
}

}  // namespace

void add_settings(const ProgramSpec& program, const CommandSpec& command, Arguments& arguments) {
  const auto index = static_cast<size_t>(&command - program.commands.data());
  const std::vector<OptionSpec> options = all_options(program);
  for (const OptionSpec& option : options) {
    if ((option.commands >> index & 1) == 0 || (option.flags & kPerRun) != 0 || arguments.has(long_name(option))) continue;
    const std::string name = variable_name(option), value = variable(name.c_str());
    if (!value.empty() && !for_others(options, option, value)) set(option, value, name, arguments);
  }
  const std::string named = arguments.text("config", variable("VIT_CONFIG"));
  const std::string path = named.empty() ? usual_file() : named;
  if (path.empty() || (named.empty() && !exists(path))) return;
  const Arguments taken = arguments;
  SettingsFile(program, command, path).read(taken, arguments);
}

std::string settings_text(const ProgramSpec& program, size_t command, const Arguments& arguments) {
  const bool json = arguments.text("format", "text") == "json";
  std::string text;
  for (const OptionSpec& option : all_options(program)) {
    const std::string name = long_name(option);
    if ((option.commands >> command & 1) == 0 || name == "help" || name == "version" || name == "print-config" ||
        name == "generate")
      continue;
    std::string value = default_text(option), origin = "default";
    if (const auto from = arguments.origins.find(name); from != arguments.origins.end())
      origin = from->second;
    else if (arguments.has(name))
      origin = "command line";
    if (*option.value == '\0') {
      value = arguments.has(name) ? "yes" : "no";
    } else if (arguments.has(name)) {
      value.clear();
      for (const std::string& one : arguments.texts(name))
        value = (option.flags & kRepeated) == 0 || value.empty() ? one : value + " " + one;
    }
    if (json) {
      text += std::string(text.empty() ? "[\n" : ",\n") + "{\"name\": " + json_string(name) +
              ", \"value\": " + json_string(value) + ", \"origin\": " + json_string(origin) + "}";
      continue;
    }
    std::string line = name;
    line.resize(std::max<size_t>(line.size() + 1, 16), ' ');
    line += visible(value.empty() ? "-" : value);
    line.resize(std::max<size_t>(line.size() + 2, 40), ' ');
    text += line + visible(origin) + "\n";
  }
  return json ? text + "\n]\n" : text;
}

}  // namespace vit::tool
