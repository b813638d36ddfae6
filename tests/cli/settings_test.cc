// SPDX-License-Identifier: Apache-2.0
// Options from the environment and the settings file, and what is generated from the table of options.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

/// Value and origin of an option as --print-config has them.
std::pair<std::string, std::string> setting(const std::string& name, std::vector<std::string> arguments,
                                            const ProcessInput& input = {}) {
  arguments.insert(arguments.end(), {"--print-config", "--format", "json"});
  const ProcessResult result = infer(arguments, input);
  INFO(result.err);
  REQUIRE(result.status == 0);
  for (const json& one : json::parse(result.out))
    if (one.at("name") == name) return {one.at("value"), one.at("origin")};
  return {};
}

std::set<std::string> long_options(const std::string& program, const std::string& command) {
  std::set<std::string> names;
  for (const std::string& line : lines_of(run_program(program, {command, "--help"}).out)) {
    const size_t at = line.find("--");
    if (at == 6) names.insert(line.substr(8, line.find_first_of(" ", 8) - 8));
  }
  return names;
}

/// The program is there and is content with the file.
bool accepts(const std::string& program, const std::string& arguments) {
  if (std::system(("command -v " + program + " >/dev/null").c_str()) != 0) {
    WARN("skipped: " << program << " is not there to read what was made for it");
    return true;
  }
  return std::system((program + " " + arguments + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

TEST_CASE("the command line comes before the environment, that before the settings file, that before the default", "[cli]") {
  const TempFolder folder;
  const std::string file = folder.write(
      "vitesse/config", "# mine\ntop-k = 2\nquiet = yes\n\n[vit-bench]\nruns = 9\n[embed]\nbatch = 5\n[classify]\nbatch = 4\n");
  const std::string xdg = "XDG_CONFIG_HOME=" + folder.path();
  CHECK(setting("top-k", {}).first == "5");
  CHECK(setting("top-k", {}).second == "default");
  CHECK(setting("top-k", {}, {.environment = {xdg}}) == std::pair<std::string, std::string>{"2", file + ", line 2: top-k"});
  CHECK(setting("top-k", {}, {.environment = {xdg, "VIT_TOP_K=3"}}) == std::pair<std::string, std::string>{"3", "VIT_TOP_K"});
  CHECK(setting("top-k", {"--top-k", "4"}, {.environment = {xdg, "VIT_TOP_K=3"}}).first == "4");
  CHECK(setting("batch", {}, {.environment = {xdg}}).first == "4");
  CHECK(setting("batch", {"embed"}, {.environment = {xdg}}).first == "5");
  CHECK(setting("quiet", {}, {.environment = {xdg}}).first == "yes");
  CHECK(setting("quiet", {}, {.environment = {xdg, "VIT_QUIET=no"}}).first == "no");
  CHECK(setting("top-k", {"--config", file}).first == "2");
  CHECK(setting("top-k", {}, {.environment = {"VIT_CONFIG=" + file}}).first == "2");
  CHECK(setting("top-k", {"--config", "/dev/null"}, {.environment = {xdg}}).first == "5");
  // And they do what they say.
  const json answer = json::parse(infer({"--format", "json", sample_photo()}, {.environment = {xdg}}).out);
  CHECK(answer[0].at("labels").size() == 2);
  CHECK(infer({sample_photo()}, {.environment = {xdg}}).err.empty());
}

TEST_CASE("settings that make no sense end with 2 and one sentence that names the place", "[cli]") {
  const TempFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {{"topk = 3", "did you mean top-k?"},
                                                                  {"top-k 3", "option = value"},
                                                                  {"\n\ntop-k = many", "line 3: top-k"},
                                                                  {"top-k =", "missing"},
                                                                  {"quiet = perhaps", "yes or no"},
                                                                  {"output = x", "command line alone"},
                                                                  {"[clasify]\ntop-k = 3", "[classify]"},
                                                                  {"[]", "section"},
                                                                  {std::string("model = a\0b", 11), "zero byte"},
                                                                  {std::string(70000, '#'), "65536"},
                                                                  {"\x1b[31m\xff = 1", "unknown option"},
                                                                  {std::string(5000, 'x'), "option = value"}};
  for (const auto& [text, word] : cases) {
    const ProcessResult result = infer({"--config", folder.write("config", text), sample_photo()});
    CAPTURE(word, result.err);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(lines_of(result.err).size() == 1);
    CHECK(is_clean_text(result.err));
    CHECK(result.err.find(word) != std::string::npos);
  }
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  for (const std::string& file : {folder.path(), folder.path("missing"), folder.path("fifo")})
    CHECK(infer({"--config", file, sample_photo()}, {.seconds = 20}).status == 2);
  const ProcessResult variable = infer({sample_photo()}, {.environment = {"VIT_TOP_K=many"}});
  CHECK(variable.status == 2);
  CHECK(variable.err.find("VIT_TOP_K: ") != std::string::npos);
}

TEST_CASE("a setting whose word only other commands have is theirs", "[cli]") {
  const TempFolder folder;
  const std::string file = folder.write("config", "format = jsonl\n");
  for (const ProcessInput& input : {ProcessInput{.environment = {"VIT_FORMAT=jsonl"}}, {.environment = {"VIT_CONFIG=" + file}}}) {
    CHECK(infer({"--quiet", sample_photo()}, input).out.starts_with("{"));
    const ProcessResult info = infer({"info"}, input);
    CHECK(info.status == 0);
    CHECK(info.out.starts_with("model"));
  }
  CHECK(infer({"info"}, {.environment = {"VIT_FORMAT=yaml"}}).status == 2);
  CHECK(infer({"info", "--format", "jsonl"}).status == 2);
}

TEST_CASE("a first word that is nearly a command gets a suggestion", "[cli]") {
  const ProcessResult result = infer({"clasify", sample_photo()});
  CHECK(result.status == 2);
  CHECK(result.err.find("did you mean classify?") != std::string::npos);
}

TEST_CASE("every option is in the manual page and the completions, and their readers take them", "[cli]") {
  const TempFolder folder;
  for (const std::string program : {"vit-infer", "vit-bench"}) {
    std::set<std::string> options = long_options(program, "--help");
    if (program == "vit-infer")
      for (const std::string command : {"embed", "evaluate", "run", "info", "explain", "check"})
        options.merge(long_options(program, command));
    REQUIRE(options.size() > 10);
    for (const std::string what : {"bash", "zsh", "fish", "man"}) {
      const ProcessResult made = run_program(program, {"--generate", what});
      CAPTURE(program, what);
      REQUIRE(made.status == 0);
      for (const std::string& option : options) {
        std::string escaped = option;
        for (size_t at = 0; what == "man" && (at = escaped.find('-', at)) != std::string::npos; at += 2) escaped.insert(at, "\\");
        const std::string spelled = what == "man" ? "\\-\\-" + escaped : what == "fish" ? "-l " + option + " " : "--" + option;
        CAPTURE(option);
        CHECK(made.out.find(spelled) != std::string::npos);
      }
      const std::string file = folder.write(program + "." + what, made.out);
      if (what == "man") {
        CHECK(accepts("mandoc", "-T lint -W warning " + file));
        CHECK(accepts("groff", "-man -ww -z " + file + " 2>&1 | { ! grep -q .; }"));
      } else {
        CHECK(accepts(what, "-n " + file));
      }
    }
    CHECK(run_program(program, {"--generate", "csh"}).status == 2);
  }
}

TEST_CASE("bash completes options, their words and commands", "[cli]") {
  if (std::system("command -v bash >/dev/null") != 0) return;
  const TempFolder folder;
  const std::string script = folder.write("c.bash", infer({"--generate", "bash"}).out);
  const auto completions = [&](const std::string& words, int at) {
    const std::string out = folder.path("out");
    const std::string command = "bash -c '. " + script + "; COMP_WORDS=(vit-infer " + words +
                                "); COMP_CWORD=" + std::to_string(at) + "; _vit_infer; printf \"%s\\n\" \"${COMPREPLY[@]}\"' > " +
                                out;
    REQUIRE(std::system(command.c_str()) == 0);
    return lines_of(contents(out));
  };
  CHECK(completions("--form", 1) == std::vector<std::string>{"--format"});
  CHECK(completions("--format j", 2) == std::vector<std::string>{"json", "jsonl"});
  CHECK(completions("info --format j", 3) == std::vector<std::string>{"json"});
  CHECK(completions("expl", 1) == std::vector<std::string>{"explain"});
}
