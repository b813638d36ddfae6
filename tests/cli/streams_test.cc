// SPDX-License-Identifier: Apache-2.0
// Where results go, and what happens where they cannot go; inputs that are no files.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;

TEST_CASE("with a model named, a clean run prints nothing on standard error", "[cli]") {
  const std::string photo = sample_photo(), model = demonstration_folder();
  for (const std::string format : {"text", "json", "jsonl", "csv", "npy"}) {
    CAPTURE(format);
    const ProcessResult result = infer({"-m", model, "--format", format, photo});
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    CHECK(!result.out.empty());
  }
  CHECK(infer({"info", "-m", model}).err.empty());
  CHECK(infer({"explain", "-m", model}).err.empty());
  const ProcessResult sized = infer({"-m", model, "--size", "48x40", photo});
  CHECK(lines_of(sized.err).size() == 1);
  CHECK(sized.err.find("48x40") != std::string::npos);
  CHECK(infer({"-m", model, "--size", "32", photo}).err.empty());
}

TEST_CASE("without a model, text says in one line that it demonstrates, other formats say nothing", "[cli]") {
  const ProcessResult text = infer({sample_photo()});
  CHECK(text.status == 0);
  CHECK(lines_of(text.err).size() == 1);
  CHECK(text.err.find("ten-label demonstration model") != std::string::npos);
  CHECK(text.err.find("-m") != std::string::npos);
  CHECK(infer({"--format", "json", sample_photo()}).err.empty());
  CHECK(text.out == infer({"-m", demonstration_folder(), sample_photo()}).out);
}

TEST_CASE("results are byte-equal over runs and threads", "[cli]") {
  const std::string expected = infer({"--format", "json", sample_photo()}).out;
  for (const std::string threads : {"1", "2", "3", "7"}) {
    CAPTURE(threads);
    CHECK(infer({"--format", "json", "--threads", threads, sample_photo()}).out == expected);
  }
}

TEST_CASE("output that cannot be written ends with 4, and nothing is lost silently", "[cli]") {
  const TempFolder folder;
  const std::string photo = sample_photo();
  for (const std::string format : {"text", "json", "jsonl", "csv", "npy"}) {
    CAPTURE(format);
    const ProcessResult full = infer({"--format", format, "-m", demonstration_folder(), photo}, {.out_path = "/dev/full"});
    CHECK(full.status == 4);
    CHECK(lines_of(full.err).size() == 1);
    CHECK(infer({"--format", format, photo, "-o", "/dev/full"}).status == 4);
    CHECK(infer({"--format", format, photo, "-o", folder.path("missing/out")}).status == 4);
    CHECK(infer({"--format", format, photo, "-o", folder.path()}).status == 4);
  }
  CHECK(infer({"--version"}, {.out_path = "/dev/full"}).status == 4);
  CHECK(infer({"--help"}, {.out_path = "/dev/full"}).status == 4);
  CHECK(infer({"info"}, {.out_path = "/dev/full"}).status == 4);
  CHECK(infer({photo}, {.closed_stdout = true}).status == 4);
  CHECK(infer({photo, "--tap", "pixels=" + folder.path("missing/x.npy")}).status == 4);
  CHECK(infer({photo, "--tap", "pixels=/dev/full"}).status == 4);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a closed pipe ends the program quietly", "[cli]") {
  for (const std::string format : {"text", "json", "jsonl", "csv", "npy"}) {
    CAPTURE(format);
    const ProcessResult result =
        infer({"-m", demonstration_folder(), "--format", format, sample_photo(), sample_photo()}, {.closed_pipe = true});
    CHECK((result.status == 0 || result.status == 4 || result.status == 128 + SIGPIPE));
    CHECK(lines_of(result.err).size() <= 1);
  }
  CHECK(lines_of(infer({"--help"}, {.closed_pipe = true}).err).size() <= 1);
}

TEST_CASE("a named file appears whole, keeps its permissions and links, and a failed run leaves the old one", "[cli]") {
  const TempFolder folder;
  const std::string photo = sample_photo(), file = folder.write("results.json", "old");
  CHECK(infer({"-m", folder.path("no model"), photo, "-o", file}).status == 3);
  CHECK(contents(file) == "old");
  REQUIRE(chmod(file.c_str(), 0640) == 0);
  const std::string link = folder.path("link.json");
  REQUIRE(symlink("results.json", link.c_str()) == 0);
  CHECK(infer({photo, "--format", "json", "-o", link}).status == 0);
  CHECK(contents(file) == infer({photo, "--format", "json"}).out);
  CHECK(std::filesystem::is_symlink(link));
  struct stat info;
  REQUIRE(stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files += entry.exists();
  CHECK(files == 2);  // no temporary file is left
}

TEST_CASE("an interrupted run ends as interrupted, and what was done is written whole", "[cli]") {
  const TempFolder folder;
  const std::string file = folder.path("out.jsonl");
  std::vector<std::string> arguments{"--format", "jsonl", "-o", file};
  arguments.insert(arguments.end(), 10000, sample_photo());  // far more than half a second's work
  const ProcessResult result = infer(arguments, {.interrupt_after_ms = 500});
  CHECK(result.status == 128 + SIGINT);
  CHECK(lines_of(result.err).size() == 1);
  const auto lines = lines_of(contents(file));
  CHECK((!lines.empty() && lines.size() < 10000));
  for (const std::string& line : lines) CHECK(nlohmann::json::accept(line));
  CHECK(result.err.find("interrupted after " + std::to_string(lines.size()) + " images") != std::string::npos);
}

TEST_CASE("inputs that are no pictures fail in seconds, with a sentence, and the rest is done in order", "[cli]") {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path("x.jpg"));
  REQUIRE(mkfifo(folder.path("fifo.jpg").c_str(), 0600) == 0);
  folder.write("empty.jpg", "");
  folder.write("text.jpg", "this is no picture\n");
  const std::string good = folder.write("good.ppm", ppm(picture(20, 10, 1), 20, 10));
  const std::vector<std::string> bad = {"x.jpg", "fifo.jpg", "empty.jpg", "text.jpg", "missing.jpg"};
  std::vector<std::string> arguments{"--format", "json", "-m", demonstration_folder(), good};
  for (const std::string& name : bad) arguments.push_back(folder.path(name));
  arguments.push_back(good);

  const ProcessResult result = infer(arguments, {.seconds = 20});
  CHECK(result.status == 1);
  CHECK(is_clean_text(result.err));
  REQUIRE(lines_of(result.err).size() == bad.size());
  CHECK(lines_of(result.err)[0].find("folder") + lines_of(result.err)[0].find("directory") != 2 * std::string::npos);
  const auto json = nlohmann::json::parse(result.out);
  REQUIRE(json.size() == bad.size() + 2);
  for (size_t i = 0; i < json.size(); ++i) {
    CAPTURE(i);
    const bool ok = i == 0 || i + 1 == json.size();
    CHECK(json[i].at("path") == (ok ? good : folder.path(bad[i - 1])));
    CHECK(json[i].contains("labels") == ok);
    CHECK(json[i].contains("error") == !ok);
  }
  CHECK(json[0].at("labels") == json.back().at("labels"));
  for (const std::string& name : bad) CHECK(infer({folder.path(name)}, {.seconds = 20}).status == 5);
  CHECK(infer({"--format", "json", folder.path("missing.jpg"), folder.path("empty.jpg")}).status == 5);
}

TEST_CASE("a FIFO with a writer is a picture", "[cli]") {
  const TempFolder folder;
  const std::string bytes = ppm(picture(20, 10, 1), 20, 10), fifo = folder.path("fifo");
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int fd = open(fifo.c_str(), O_RDWR);  // keeps the FIFO alive until both sides are there
  REQUIRE(fd >= 0);
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const ProcessResult result = infer({"--format", "csv", fifo}, {.seconds = 20});
  close(fd);
  CHECK(result.status != 124);  // read, or refused: but never waited for
}

TEST_CASE("a dash is standard input", "[cli]") {
  const std::string bytes = ppm(picture(20, 10, 1), 20, 10);
  const TempFolder folder;
  const ProcessResult result = infer({"--format", "csv", "-", "--tap", "pixels=" + folder.path("p.npy")}, {.input = bytes});
  CHECK(result.status == 0);
  std::string file = infer({"--format", "csv", folder.write("p.ppm", bytes)}).out;
  const std::string name = folder.path("p.ppm");
  for (size_t at; (at = file.find(name)) != std::string::npos;) file.replace(at, name.size(), "-");
  CHECK(result.out == file);
  CHECK(infer({"-"}).status == 5);  // empty
}
