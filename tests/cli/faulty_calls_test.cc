// SPDX-License-Identifier: Apache-2.0
// For every n: the n-th open, read, write or rename of a program fails. It ends with a code of the contract and a sentence, and
// its output file is the new one, whole, or the old one.
#include <filesystem>

#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"
#include "tools/common/npy.h"

using namespace vit;

namespace {

struct Scenario {
  const char* what;
  std::vector<std::string> arguments;
  const char* program = "vit-infer";
};

std::vector<Scenario> scenarios(const TempFolder& folder) {
  const std::string photo = folder.write("in/photo.ppm", ppm(picture(30, 20, 1), 30, 20)), model = demonstration_folder();
  const std::string list = folder.write("in/list", photo + "\n" + photo + "\n");
  const std::string labels = folder.write("in/labels", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
  const std::string settings = folder.write("in/config", "threads = 1\n[classify]\ntop-k = 2\n");
  const std::string tensor =
      folder.write("in/x.npy", tool::npy_header(tool::NpyType::kFloat32, {1, 3, 32, 32}) + std::string(4 * 3 * 32 * 32, '\0'));
  return {{"classify", {"-m", model, "--format", "csv", photo}},
          {"classify a list", {"-m", model, "--format", "json", "--files-from", list, "--labels", labels, "--config", settings}},
          {"embed", {"embed", "-m", model, "--format", "npy", photo}},
          {"run", {"run", "-m", model, "--input", tensor}},
          {"check", {"check", model, photo}},
          {"quantize", {model, "-q"}, "vit-quantize"}};
}

TEST_CASE("programs bear the n-th failing open, read, write, rename and sync", "[cli][fault]") {
  const TempFolder folder;
  const std::string out = folder.path("out/result"), mark = folder.path("mark");
  for (const Scenario& scenario : scenarios(folder))
    for (const std::string call : {"open", "read", "write", "rename", "fsync"}) {
      std::vector<std::string> arguments = scenario.arguments;
      const bool quantize = scenario.program == std::string("vit-quantize");
      if (call == "fsync" && !quantize) continue;
      if (!quantize) arguments.push_back("-o");
      arguments.push_back(out);
      folder.write("out/result", "old");
      REQUIRE(run_program(scenario.program, arguments).status == 0);
      const std::string expected = contents(out);
      int n = 0;
      for (bool reached = true; reached;) {
        CAPTURE(scenario.what, call, ++n);
        REQUIRE(n < 1000);
        folder.write("out/result", "old");
        const ProcessResult result = run_program(
            scenario.program, arguments,
            {.environment = {"LD_PRELOAD=" VIT_FAULTY_CALLS, "VIT_FAULT_CALL=" + call, "VIT_FAULT_NTH=" + std::to_string(n),
                             "VIT_FAULT_MARK=" + mark, "ASAN_OPTIONS=verify_asan_link_order=0"}});
        reached = std::filesystem::remove(mark);
        CAPTURE(result.status, result.err);
        const std::string now = contents(out);
        if (result.status == 0) {
          CHECK(now == expected);
        } else {
          CHECK(reached);
          CHECK((result.status >= 1 && result.status <= 5));
          CHECK(lines_of(result.err).size() >= 1);
          CHECK(lines_of(result.err).size() <= 3);
          CHECK(is_clean_text(result.err));
          CHECK((now == "old" || result.status == 1 || result.status == 5 ||
                 (scenario.arguments[0] == "check" && result.status == 3) || (quantize && now == expected)));
          if (call == "write" || call == "rename" || call == "fsync") CHECK(result.status == 4);
        }
        CHECK(files_in(folder.path("out")) == 1);  // nothing half-written stays
      }
      CHECK(n > 1);
    }
}

}  // namespace
