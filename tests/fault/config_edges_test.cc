// SPDX-License-Identifier: Apache-2.0
// Every field of the fixtures' configurations at its edges: each model opens and runs, or is refused in a sentence.
#include <filesystem>
#include <string>

#include "ops/core/file.h"
#include "runtime/api/vit.h"
#include "runtime/io/json.h"
#include "tests/arch/models.h"
#include "tests/catch.h"

namespace vit {
namespace {

constexpr const char* kEdges[] = {
    "null",     "-1", "0",   "1",  "2147483648", "9223372036854775807", "9223372036854775808", "1e308", "0.5", "\"\"",
    "\"gelu\"", "[]", "[0]", "{}", "true"};

/// Opens the model and prepares a session, which it then frees.
vit_status open_and_prepare(const std::string& config, Bytes weights) {
  const vit_file files[] = {{"config.json", config.data(), config.size()}, {"model.safetensors", weights.data(), weights.size()}};
  vit_model* model = nullptr;
  vit_status status = vit_model_open_memory("m", files, 2, nullptr, &model);
  if (status != VIT_OK) return status;
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.threads = 1;
  vit_session* session = nullptr;
  status = vit_session_create(model, &options, &session);
  vit_session_free(session);
  vit_model_free(model);
  return status;
}

TEST_CASE("each field of each configuration at its edges is taken or refused in a sentence", "[fault]") {
  int cases = 0, refused = 0;
  for (const std::string& name : fixture_models()) {
    if (!std::filesystem::exists(fixture_folder(name) + "/model.safetensors")) continue;  // in shards
    const std::vector<uint8_t> weights = read_file(fixture_folder(name) + "/model.safetensors", uint64_t{1} << 24);
    const Parts parts(name);
    const Json flat = parts.config.flatten();
    for (const auto& [pointer, unused] : flat.items())
      for (const char* edge : kEdges) {
        Json config = parts.config;
        config[Json::json_pointer(pointer)] = Json::parse(edge);
        CAPTURE(name, pointer, edge);
        const vit_status status = open_and_prepare(config.dump(), weights);
        if (status != VIT_OK) CHECK_FALSE(std::string(vit_last_error()).empty());
        CHECK(status != VIT_ERROR_INTERNAL);
        refused += status != VIT_OK;
        ++cases;
      }
  }
  CHECK(cases > 4000);
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace vit
