// SPDX-License-Identifier: Apache-2.0
// What a person sees: progress on a terminal, and results in pipes to other programs.
#include "tests/cli/terminal.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/support/slow_build.h"
#include "tests/temp_folder.h"

using namespace vit;

namespace {

constexpr size_t kEnough = slow_build() ? 20 : 200;  // photos, for more than the 100 ms before progress is shown

/// The photo so many times, after an input that fails.
std::vector<std::string> many_photos(std::vector<std::string> arguments, size_t count, const std::string& bad) {
  arguments.insert(arguments.end(), {"-m", demonstration_folder()});
  if (!bad.empty()) arguments.push_back(bad);
  arguments.insert(arguments.end(), count, sample_photo());
  return arguments;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What stood in the last line, one drawing after the other.
std::vector<std::string> drawings(const std::string& shown) {
  const std::string start = "\r\33[K";
  std::vector<std::string> all;
  for (size_t at = shown.find(start); at != std::string::npos;) {
    at += start.size();
    const size_t end = shown.find(start, at);
    all.push_back(shown.substr(at, end == std::string::npos ? end : end - at));
    at = end;
  }
  return all;
}

/// Images done, as the last drawing has it: "12/5001  ...".
size_t shown_images(const std::string& shown) {
  const std::vector<std::string> all = drawings(shown);
  return all.empty() ? 0 : std::strtoul(all.back().c_str(), nullptr, 10);
}

TEST_CASE("a terminal shows rate, time left and failures, and Ctrl-C leaves whole rows", "[cli]") {
  const TempFolder folder;
  const std::string out = folder.path("out.csv"), missing = folder.path("missing.jpg");
  const std::vector<std::string> arguments = many_photos({"--format", "csv", "-o", out}, 5'000, missing);
  TerminalInput input;
  // Behind the input that fails: a slow machine draws that one alone, too.
  input.interrupt_when = [](const std::string& shown) { return has(shown, " left") && shown_images(shown) >= 3; };
  const TerminalResult result = on_terminal("vit-infer", arguments, input);
  CAPTURE(result.shown);
  CHECK(result.status == 128 + SIGINT);
  CHECK(has(result.shown, "/5001  "));
  CHECK(has(result.shown, " images/s  "));
  CHECK(has(result.shown, "\33[31m  1 failed\33[0m"));
  CHECK(has(result.shown, "vit-infer: " + missing + ": "));

  const std::string csv = contents(out);
  const std::vector<std::string> rows = lines_of(csv);
  CHECK(csv.ends_with("\r\n"));
  REQUIRE(rows.size() > 1);
  REQUIRE((rows.size() - 1) % 5 == 0);
  for (size_t i = 1; i < rows.size(); ++i)
    if (!rows[i].starts_with(sample_photo() + "," + std::to_string((i - 1) % 5 + 1) + ",")) FAIL_CHECK(rows[i]);
  const size_t images = (rows.size() - 1) / 5 + 1;  // with the one that failed
  CHECK(has(result.shown, "interrupted after " + std::to_string(images) + " images; what was done is written"));
}

TEST_CASE("evaluate shows its progress, and Ctrl-C leaves the figures of what was done", "[cli]") {
  const TempFolder folder;
  const std::string photo = folder.write("cat/0.png", contents(sample_photo()));
  for (int i = 1; i < 1'000; ++i) std::filesystem::create_hard_link(photo, folder.path("cat/" + std::to_string(i) + ".png"));
  TerminalInput input;
  input.interrupt_when = [](const std::string& shown) { return has(shown, " left") && shown_images(shown) >= 3; };
  const TerminalResult result =
      on_terminal("vit-infer", {"evaluate", "-m", demonstration_folder(), "--precision", "int8", folder.path("")}, input);
  CAPTURE(result.shown);
  CHECK(result.status == 128 + SIGINT);
  CHECK(has(result.shown, "/1000  "));
  CHECK(has(result.shown, "what was done is written"));
  CHECK(has(result.shown, "agreement"));
}

TEST_CASE("the progress line has the terminal's width, and no colours where NO_COLOR asks for none", "[cli]") {
  const TempFolder folder;
  TerminalInput input;
  input.interrupt_when = [](const std::string& shown) { return has(shown, "images/s"); };
  const std::vector<std::string> arguments =
      many_photos({"--format", "csv", "-o", folder.path("out.csv")}, 5'000, folder.path("missing.jpg"));
  SECTION("no colours") {
    input.environment = {"NO_COLOR=1"};
    const TerminalResult result = on_terminal("vit-infer", arguments, input);
    CAPTURE(result.shown);
    CHECK(has(result.shown, "  1 failed"));
    CHECK_FALSE(has(result.shown, "\33[31m"));
  }
  SECTION("narrow") {
    input.columns = 30;
    const TerminalResult result = on_terminal("vit-infer", arguments, input);
    CAPTURE(result.shown);
    size_t lines = 0;
    for (std::string line : drawings(result.shown)) {
      line = line.substr(0, line.find("^C"));  // the terminal's own echo
      if (!has(line, "images/s") || has(line, "vit-infer:")) continue;
      ++lines;
      if (line.find('\33') == std::string::npos) CHECK(line.size() < 30);
    }
    CHECK(lines > 0);
  }
}

TEST_CASE("no progress is shown where there is nobody to see it", "[cli]") {
  const TempFolder folder;
  const std::string out = folder.path("out.csv");
  const auto arguments = [&](std::vector<std::string> options) {
    options.insert(options.end(), {"--format", "csv"});
    return many_photos(std::move(options), kEnough, "");
  };
  const TerminalResult shown = on_terminal("vit-infer", arguments({}), {.out_path = out});
  CHECK(shown.status == 0);
  CHECK(has(shown.shown, "images/s"));  // the same run on a terminal does show it
  CHECK(drawings(shown.shown).back().empty());
  CHECK(lines_of(contents(out)).size() == 1 + 5 * kEnough);

  CHECK(on_terminal("vit-infer", arguments({"--quiet"}), {.out_path = out}).shown.empty());
  CHECK(on_terminal("vit-infer", arguments({}), {.out_path = out, .environment = {"TERM=dumb"}}).shown.empty());
  const TerminalResult both = on_terminal("vit-infer", arguments({}));  // results go to the same terminal
  CHECK_FALSE(has(both.shown, "images/s"));
  CHECK(lines_of(both.shown).size() == 1 + 5 * kEnough);
  const ProcessResult redirected = infer(arguments({}));
  CHECK(redirected.status == 0);
  CHECK(redirected.err.empty());
}

/// Runs a command line of bash in which $P is vit-infer with a model and a format; the pipe's parts' exit codes follow its
/// output.
std::vector<std::string> bash(const std::string& format, const std::string& line, const TempFolder& folder) {
  std::string program;
  for (const std::string& word : command_of("vit-infer", {"-m", demonstration_folder(), "--format", format}))
    program += "'" + word + "' ";
  const std::string script =
      folder.write("s", "P=\"" + program + "\"; cd '" + folder.path() + "'; export XDG_CONFIG_HOME=/nonexistent\n" + line +
                            "\necho \"${PIPESTATUS[@]}\"\n");
  REQUIRE(std::system(("bash " + script + " > " + folder.path("out") + " 2> " + folder.path("err")).c_str()) == 0);
  return lines_of(contents(folder.path("out")));
}

bool is_there(const std::string& program) {
  if (std::system(("command -v " + program + " >/dev/null").c_str()) == 0) return true;
  WARN("skipped: " << program << " is not there");
  return false;
}

TEST_CASE("results go into pipes to head, column and jq", "[cli]") {
  if (!is_there("bash")) return;
  const TempFolder folder;
  const std::string photos = sample_photo() + " " + sample_photo();

  std::string hundred;
  for (int i = 0; i < 100; ++i) hundred += " " + sample_photo();
  for (const std::string format : {"text", "csv", "jsonl", "json"}) {
    CAPTURE(format);
    const std::vector<std::string> first = bash(format, "eval $P " + hundred + " | head -n 1", folder);
    REQUIRE(first.size() == 2);
    const int status = std::atoi(first[1].c_str());
    CHECK((status == 0 || status == 4 || status == 128 + SIGPIPE));
    CHECK(lines_of(contents(folder.path("err"))).size() <= 1);
  }
  CHECK(bash("csv", "eval $P " + hundred + " | head -n 1", folder)[0] == "path,rank,label,index,probability,logit");

  if (is_there("column")) {
    const std::vector<std::string> table = bash("csv", "eval $P " + photos + " | tr -d '\\r' | column -s, -t", folder);
    REQUIRE(table.size() == 12);  // header, two photos of five labels, exit codes
    const size_t rank = table[0].find("rank");
    for (size_t i = 1; i < 11; ++i) CHECK(std::string("12345")[(i - 1) % 5] == table[i].at(rank));
    CHECK(table[11] == "0 0 0");
  }
  if (is_there("jq")) {
    CHECK(bash("json", "eval $P " + photos + " | jq 'length, (.[1].labels | length), (.[0] | keys | join(\" \"))'", folder) ==
          std::vector<std::string>{"2", "5", "\"labels path\"", "0 0"});
    CHECK(
        bash("jsonl", "eval $P " + photos + " missing.jpg | jq -r 'if .error then \"failed\" else .labels[0].index end'", folder)
            .back() == "1 0");
    CHECK(bash("jsonl", "eval $P missing.jpg " + photos + " | jq -r 'if .error then \"failed\" else (.labels|length) end'",
               folder) == std::vector<std::string>{"failed", "5", "5", "1 0"});
  }
}

}  // namespace
