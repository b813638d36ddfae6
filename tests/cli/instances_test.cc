// SPDX-License-Identifier: Apache-2.0
// --instances: sessions side by side change neither results nor their order, and end as one does.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"
#include "tools/common/failure.h"
#include "tools/vit-infer/instances.h"
#include "tools/vit-infer/memory_nodes.h"

using namespace vit;
using tool::memory_nodes, tool::own_cpus, tool::stay_on;

namespace {

using Words = std::vector<std::string>;

/// 23 pictures of different sizes; the 8th and the 17th are none.
Words pictures(const TempFolder& folder) {
  Words paths;
  for (uint32_t i = 1; i <= 23; ++i) {
    const auto width = static_cast<int>(10 + 37 * i % 90), height = static_cast<int>(10 + 53 * i % 70);
    const bool bad = i == 8 || i == 17;
    paths.push_back(folder.write(
        std::to_string(i) + ".ppm",
        bad ? "no picture" : ppm(picture(static_cast<size_t>(width), static_cast<size_t>(height), i), width, height)));
  }
  return paths;
}

Words joined(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST_CASE("CPUs are told apart by their memory nodes, where all say which", "[cli]") {
  const TempFolder folder;
  const auto cpu = [&](int number, const std::string& property) {
    std::filesystem::create_directories(folder.path("cpu" + std::to_string(number) + "/" + property));
  };
  for (const int number : {0, 1, 4, 5}) cpu(number, "node" + std::to_string(number / 4)), cpu(number, "topology");
  using Nodes = std::vector<std::vector<int>>;
  CHECK(memory_nodes({0, 1, 4, 5}, folder.path("")) == Nodes{{0, 1}, {4, 5}});
  CHECK(memory_nodes({0, 5}, folder.path("")) == Nodes{{0}, {5}});
  CHECK(memory_nodes({0, 1}, folder.path("")) == Nodes{{0, 1}});
  cpu(9, "nodes"), cpu(9, "node"), cpu(9, "nodeX");
  CHECK(memory_nodes({0, 4, 9}, folder.path("")) == Nodes{{0, 4, 9}});
  CHECK(memory_nodes({7}, folder.path("")) == Nodes{{7}});
  CHECK(memory_nodes({}, folder.path("")) == Nodes{{}});
}

TEST_CASE("a thread stays on the CPUs that it is given", "[cli]") {
  std::vector<int> all, own;
  std::thread([&] {
    all = own_cpus();
    stay_on({all.back()});
    own = own_cpus();
  }).join();
  REQUIRE(!all.empty());
  CHECK(own == std::vector<int>{all.back()});
  CHECK(own_cpus() == all);
}

TEST_CASE("results and sentences are the same for any number of instances", "[cli]") {
  const TempFolder folder;
  const Words paths = pictures(folder);
  for (const Words& command :
       std::vector<Words>{{"--format", "csv"}, {"--format", "json", "--batch", "3"}, {"embed", "--format", "jsonl"}}) {
    const ProcessResult one = infer(joined(command, joined({"-q", "--instances", "1"}, paths)));
    CHECK(one.status == 1);
    CHECK(lines_of(one.err).size() == 2);
    for (const Words& how : std::vector<Words>{{"--latency"},
                                               {"--throughput", "--threads", "4"},
                                               {"--instances", "2"},
                                               {"--instances", "5", "--threads", "7"},
                                               {"--threads", "3"}}) {
      CAPTURE(command, how);
      const ProcessResult many = infer(joined(command, joined({"-q"}, joined(how, paths))));
      CHECK(many.status == one.status);
      CHECK(many.out == one.out);
      CHECK(many.err == one.err);
    }
  }
}

TEST_CASE("--latency, --throughput and --instances say how many sessions there are; the command line goes before settings",
          "[cli]") {
  const auto chosen = [](const Words& given, const Words& settings, bool many) {
    tool::Arguments arguments;
    for (const Words& from : {given, settings})
      for (const std::string& name : from) arguments.options[name] = {name == "instances" ? "3" : ""};
    for (const std::string& name : settings) arguments.origins[name] = "a file";
    arguments.options["threads"] = {"6"};
    const tool::Instances instances = tool::choose_instances(arguments, 1, 2, [&](size_t) { return many; });
    return std::pair{instances.count, instances.threads};
  };
  using Chosen = std::pair<size_t, int>;
  for (const bool many : {false, true}) {
    CHECK(chosen({}, {}, many) == (many ? Chosen{6, 1} : Chosen{1, 6}));
    CHECK(chosen({"latency"}, {}, many) == Chosen{1, 6});
    CHECK(chosen({}, {"latency"}, many) == Chosen{1, 6});
    CHECK(chosen({"throughput"}, {}, many) == Chosen{6, 1});
    CHECK(chosen({"instances"}, {}, many) == Chosen{3, 2});
    CHECK(chosen({"latency"}, {"throughput"}, many) == Chosen{1, 6});
    CHECK(chosen({"throughput"}, {"instances", "latency"}, many) == Chosen{6, 1});
    CHECK(chosen({"instances"}, {"latency"}, many) == Chosen{3, 2});
  }
  for (const Words& both : std::vector<Words>{{"latency", "throughput"}, {"throughput", "instances"}, {"instances", "latency"}}) {
    CHECK_THROWS_AS(chosen(both, {}, true), tool::Failure);
    CHECK_THROWS_AS(chosen({}, both, true), tool::Failure);
  }
}

TEST_CASE("side by side, too, a run stops at the failure that is one too many", "[cli]") {
  const TempFolder folder;
  const Words paths = pictures(folder);
  const Words options{"--format", "csv", "--top-k", "1", "--on-error", "stop", "-q"};
  const ProcessResult one = infer(joined(options, joined({"--instances", "1"}, paths)));
  const ProcessResult many = infer(joined(options, joined({"--instances", "4"}, paths)));
  CHECK(lines_of(one.out).size() == 8);  // the header and seven pictures
  CHECK(many.out == one.out);
  CHECK(many.err == one.err);
  CHECK(many.status == one.status);
}

TEST_CASE("a list that is still open does not keep a run that gave up", "[cli]") {
  const TempFolder folder;
  const std::string fifo = folder.path("list"), bad = folder.write("bad.ppm", "no picture");
  REQUIRE(std::system(("mkfifo '" + fifo + "'").c_str()) == 0);
  // A writer that names one input and keeps the pipe open for longer than the program may take.
  REQUIRE(std::system(("(echo '" + bad + "'; sleep 20) > '" + fifo + "' &").c_str()) == 0);
  const ProcessResult result = infer({"--files-from", fifo, "--on-error", "stop", "--instances", "2", "-q"}, {.seconds = 10});
  CHECK(result.status == 5);
  CHECK(lines_of(result.err).size() == 1);
}

TEST_CASE("results of a list come while it is written", "[cli]") {
  const TempFolder folder;
  const std::string fifo = folder.path("list"), out = folder.path("out"),
                    photo = folder.write("a.ppm", ppm(picture(30, 20, 1), 30, 20));
  REQUIRE(std::system(("mkfifo '" + fifo + "'").c_str()) == 0);
  // The second name is written only when the first one's result is there.
  REQUIRE(std::system(("(echo '" + photo + "'; while ! grep -q a.ppm '" + out + "'; do sleep 0.05; done; echo '" + photo +
                       "') > '" + fifo + "' &")
                          .c_str()) == 0);
  folder.write("out", "");
  const ProcessResult result =
      infer({"--files-from", fifo, "--format", "jsonl", "--instances", "2", "-q"}, {.out_path = out, .seconds = 30});
  CHECK(result.status == 0);
  CHECK(lines_of(contents(out)).size() == 2);
}

}  // namespace
