// SPDX-License-Identifier: Apache-2.0
// Files, folders and lists as inputs: which, in which order, and what happens when some fail.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/support/slow_build.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

std::string small_picture(uint32_t seed) { return ppm(picture(9, 7, seed), 9, 7); }

/// Runs with the demonstration model named, in JSON lines, one label each.
ProcessResult lines(std::vector<std::string> arguments, const ProcessInput& input = {}) {
  arguments.insert(arguments.end(), {"--format", "jsonl", "--top-k", "1", "-m", demonstration_folder()});
  return infer(arguments, input);
}

/// Paths of the results, those that failed with a "!" before them.
std::vector<std::string> paths_of(const ProcessResult& result, const std::string& folder) {
  std::vector<std::string> paths;
  for (const std::string& line : lines_of(result.out)) {
    const json object = json::parse(line);
    std::string path = object.at("path");
    if (path.rfind(folder, 0) == 0) path.erase(0, folder.size() + 1);
    paths.push_back((object.contains("error") ? "!" : "") + path);
  }
  return paths;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("a folder stands for its image files in byte order, with --recursive those below it too", "[cli]") {
  const TempFolder folder;
  for (const char* name : {"b.ppm", "a.PPM", "c/2.ppm", "c/1.ppm", "c/d/x.ppm", "bare", ".hidden.ppm", ".cache/y.ppm", "z.ppm"})
    folder.write(name, small_picture(1));
  folder.write("notes.txt", "no picture");
  folder.write("script", "#!/bin/sh\n");
  folder.write("broken.jpg", "no picture");
  REQUIRE(symlink("nowhere.png", folder.path("dangling.png").c_str()) == 0);
  REQUIRE(symlink("..", folder.path("c/loop").c_str()) == 0);
  REQUIRE(symlink("c", folder.path("twin").c_str()) == 0);
  REQUIRE(mkfifo(folder.path("fifo.jpg").c_str(), 0600) == 0);

  const ProcessResult flat = lines({folder.path()}, {.seconds = 20});
  CHECK(flat.status == 1);
  // `bare` begins as a binary PPM does.
  CHECK(paths_of(flat, folder.path()) == Paths{"a.PPM", "b.ppm", "bare", "!broken.jpg", "!dangling.png", "z.ppm"});
  CHECK(lines_of(flat.err).size() == 2);

  const ProcessResult deep = lines({"-r", folder.path()}, {.seconds = 20});
  CHECK(paths_of(deep, folder.path()) ==
        Paths{"a.PPM", "b.ppm", "bare", "!broken.jpg", "c/1.ppm", "c/2.ppm", "c/d/x.ppm", "!dangling.png", "z.ppm"});
  CHECK(lines({folder.path() + "/", folder.path("z.ppm")}).status == 1);
}

TEST_CASE("a folder without image files is a failed input, and the sentence says what would help", "[cli]") {
  const TempFolder folder;
  folder.write("only/sub/x.ppm", small_picture(1));
  std::filesystem::create_directory(folder.path("empty"));
  const ProcessResult empty = lines({folder.path("empty")});
  CHECK(empty.status == 5);
  CHECK(lines_of(empty.err).size() == 1);
  CHECK(empty.err.find("no image files") != std::string::npos);
  const ProcessResult flat = lines({folder.path("only")});
  CHECK(flat.status == 5);
  CHECK(flat.err.find("--recursive") != std::string::npos);
  CHECK(lines({"-r", folder.path("only")}).status == 0);
}

TEST_CASE("a folder too deep for a path is a failed input, not an empty one", "[cli]") {
  const TempFolder folder;
  const std::string name(200, 'd');
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  for (int depth = 0; depth < 25; ++depth) {  // 5000 bytes, more than PATH_MAX
    std::filesystem::create_directory(name);
    std::filesystem::current_path(name);
  }
  std::filesystem::current_path(before);
  const ProcessResult result = infer({"-m", demonstration_folder(), "--recursive", folder.path()});
  CHECK(result.status == 5);
  CHECK(lines_of(result.err).size() == 1);
  CHECK(result.err.find("File name too long") != std::string::npos);
  REQUIRE(std::system(("rm -r " + folder.path(name)).c_str()) == 0);
}

TEST_CASE("lists name inputs by line or by zero byte, after the arguments", "[cli]") {
  const TempFolder folder;
  for (const char* name : {"a.ppm", "b.ppm", "c.ppm", "line\nbreak.ppm", "d/e.ppm"}) folder.write(name, small_picture(2));
  const std::string a = folder.path("a.ppm"), b = folder.path("b.ppm"), c = folder.path("c.ppm"),
                    broken = folder.path("line\nbreak.ppm");
  const std::string list = folder.write("list", b + "\r\n\n" + folder.path("d") + "\n" + c);  // no line end at the end
  CHECK(paths_of(lines({"--files-from", list, a}), folder.path()) == Paths{"a.ppm", "b.ppm", "d/e.ppm", "c.ppm"});
  CHECK(paths_of(lines({"--files-from", "-"}, {.input = a + "\n" + b + "\n"}), folder.path()) == Paths{"a.ppm", "b.ppm"});
  const std::string zeros = c + '\0' + broken + '\0' + '\0' + a;
  CHECK(paths_of(lines({"--files0-from", "-"}, {.input = zeros}), folder.path()) == Paths{"c.ppm", "line\nbreak.ppm", "a.ppm"});
  const ProcessResult mixed = lines({"--files-from", "-"}, {.input = zeros + "\n" + b});
  CHECK(paths_of(mixed, folder.path()).back() == "b.ppm");
  CHECK(mixed.err.find("--files0-from") != std::string::npos);
}

TEST_CASE("lists that cannot be used end with 2 and a sentence", "[cli]") {
  const TempFolder folder;
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  const std::vector<std::vector<std::string>> cases = {{"--files-from", folder.path("missing")},
                                                       {"--files-from", folder.path()},
                                                       {"--files-from", "/dev/null"},
                                                       {"--files-from", folder.path("fifo")},
                                                       {"--files-from", folder.write("long", std::string(100000, 'x'))},
                                                       {"--files-from", "-", "-"},
                                                       {"--files-from", "-", "--files0-from", "-"}};
  for (const auto& arguments : cases) {
    const ProcessResult result = lines(arguments, {.seconds = 20});
    CAPTURE(arguments[1], result.err);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(lines_of(result.err).size() == 1);
  }
}

TEST_CASE("ten thousand images with 137 bad ones take the memory of a few", "[cli][long]") {
  if (slow_build()) {
    WARN("skipped in this build: it would take many minutes, and its memory is not the product's");
    return;
  }
  const TempFolder folder;
  const std::string good = small_picture(3);
  std::vector<std::string> bad;
  for (int i = 0; i < 10000; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "%05d.ppm", i);
    const bool broken = i % 73 == 11;
    if (broken) bad.emplace_back(name);
    folder.write(name, broken ? std::string_view(good).substr(0, i % good.size()) : std::string_view(good));
  }
  REQUIRE(bad.size() == 137);
  const ProcessResult few = lines({folder.path("00000.ppm")});
  const ProcessResult all = lines({folder.path(), "--batch", "16"}, {.seconds = 300});
  CHECK(all.status == 1);
  const auto sentences = lines_of(all.err);
  REQUIRE(sentences.size() == 137);
  for (size_t i = 0; i < bad.size(); ++i) CHECK(sentences[i].find(bad[i] + ": ") != std::string::npos);
  const auto results = lines_of(all.out);
  REQUIRE(results.size() == 10000);
  CHECK(results[9999].find("09999.ppm") != std::string::npos);
  // A batch of 16 and ten thousand names; ten thousand results or pictures would be several times that.
  CHECK(all.peak_kib < few.peak_kib + 8192);
}

TEST_CASE("results do not depend on the batch, also where some of it fail", "[cli]") {
  const TempFolder folder;
  std::vector<std::string> inputs;
  for (uint32_t i = 0; i < 7; ++i)
    inputs.push_back(folder.write(std::to_string(i), i % 3 == 1 ? "bad" : ppm(picture(20 + i, 11, i), 20 + i, 11)));
  for (const std::string command : {"classify", "embed"}) {
    std::vector<std::string> arguments{command, "--format", "json"};
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    const ProcessResult one = infer(arguments);
    CHECK(one.status == 1);
    for (const std::string batch : {"2", "3", "7", "100"}) {
      std::vector<std::string> batched = arguments;
      batched.insert(batched.end(), {"--batch", batch});
      const ProcessResult result = infer(batched);
      CHECK(result.out == one.out);
      CHECK(result.err == one.err);
    }
  }
  CHECK(infer({"--batch", "0", inputs[0]}).status == 2);
}

TEST_CASE("--on-error stop and --max-errors end a run early, and what was done is written", "[cli]") {
  const TempFolder folder;
  std::vector<std::string> inputs;
  for (const char* name : {"0.ppm", "1.ppm", "2.ppm", "3.ppm", "4.ppm", "5.ppm"})
    inputs.push_back(folder.write(name, name[0] % 2 == 1 ? "bad" : small_picture(1)));
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), inputs.begin(), inputs.end());
    return lines(more);
  };
  CHECK(paths_of(with({}), folder.path()) == Paths{"0.ppm", "!1.ppm", "2.ppm", "!3.ppm", "4.ppm", "!5.ppm"});
  for (const std::string batch : {"1", "4"}) {
    CHECK(paths_of(with({"--on-error", "stop", "--batch", batch}), folder.path()) == Paths{"0.ppm", "!1.ppm"});
    CHECK(paths_of(with({"--max-errors", "2", "--batch", batch}), folder.path()) == Paths{"0.ppm", "!1.ppm", "2.ppm", "!3.ppm"});
  }
  const ProcessResult stopped = with({"--on-error", "stop"});
  CHECK(stopped.status == 1);
  CHECK(lines_of(stopped.err).size() == 2);
  CHECK(lines_of(with({"--on-error", "stop", "--quiet"}).err).size() == 1);
  CHECK(with({"--max-errors", "0"}).status == 2);
  CHECK(with({"--on-error", "perhaps"}).status == 2);
}
