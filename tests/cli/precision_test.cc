// SPDX-License-Identifier: Apache-2.0
// --precision, as a user meets it.
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/process.h"

using namespace vit;

TEST_CASE("each precision finds the photo's label; auto and a slow bf16 say one line", "[cli]") {
  const std::string photo = sample_photo();
  const auto label_of = [](const ProcessResult& result) {  // all but probability and logit
    const std::string rest = result.out.substr(0, result.out.rfind(','));
    return rest.substr(0, rest.rfind(','));
  };
  const ProcessResult f32 = infer({photo, "--top-k", "1", "--format", "csv"});
  REQUIRE(f32.status == 0);
  for (const std::string isa : {"sse2", ""}) {
    if (!isa.empty() && infer({"info", "--isa", isa}).status != 0) continue;  // not of this processor
    for (const std::string precision : {"bf16", "int8", "auto"}) {
      CAPTURE(isa, precision);
      std::vector<std::string> arguments{photo, "--top-k", "1", "--format", "csv", "--precision", precision};
      if (!isa.empty()) arguments.insert(arguments.end(), {"--isa", isa});
      const ProcessResult result = infer(arguments);
      CHECK(result.status == 0);
      CHECK(label_of(result) == label_of(f32));
      if (precision == "int8") CHECK(result.err.empty());
      if (precision == "auto") CHECK(lines_of(result.err).size() == 1);
      if (precision == "bf16" && isa == "sse2") CHECK(result.err.find("does not multiply bf16") != std::string::npos);
      arguments.push_back("--quiet");
      CHECK(infer(arguments).err.empty());
    }
  }
}

TEST_CASE("the plan names the precision", "[cli]") {
  const ProcessResult result = infer({"info", "--plan", "--format", "json", "--precision", "int8"});
  CHECK(result.status == 0);
  CHECK(result.out.find("\"precision\": \"int8\"") != std::string::npos);
  CHECK(result.out.find("kept_layers") != std::string::npos);
}
