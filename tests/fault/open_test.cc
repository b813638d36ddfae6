// SPDX-License-Identifier: Apache-2.0
// For every n: the n-th allocation or the n-th buffer fails between a model's path and its first result.
#include <cstdlib>

#include "runtime/api/vit.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/fault/faulty_memory.h"

namespace vit {
namespace {

const std::string kModel = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/models/vit-rectangle";
constexpr size_t kHeight = 24, kWidth = 54, kLabels = 3;

/// Opens the model, prepares a session, runs it once, and frees both.
vit_status open_and_run() {
  vit_model* model = nullptr;
  vit_status status = vit_model_open(kModel.c_str(), nullptr, &model);
  if (status != VIT_OK) return model == nullptr ? status : VIT_ERROR_INTERNAL;
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.threads = 1;
  vit_session* session = nullptr;
  status = vit_session_create(model, &options, &session);
  if (status == VIT_OK) {
    const float input[3 * kHeight * kWidth] = {};
    float output[kLabels];
    status = vit_run(session, input, 1, kHeight, kWidth, VIT_OUTPUT_LOGITS, output, kLabels);
  } else if (session != nullptr) {
    status = VIT_ERROR_INTERNAL;
  }
  vit_session_free(session);
  vit_model_free(model);
  return status;
}

TEST_CASE("a session is refused when the n-th buffer cannot be had, and nothing stays behind", "[fault]") {
  REQUIRE(open_and_run() == VIT_OK);
  int n = 0;
  for (bool reached = true; reached;) {
    CAPTURE(++n);
    REQUIRE(n < 10'000);
    const FaultyMemory faulty(n);
    const vit_status status = open_and_run();
    reached = FaultyMemory::reached();
    CHECK(status == (reached ? VIT_ERROR_MEMORY : VIT_OK));
    CHECK(FaultyMemory::alive() == 0);
  }
  CHECK(n > 5);
}

TEST_CASE("a model or a session is refused when the n-th allocation fails", "[fault]") {
  REQUIRE(open_and_run() == VIT_OK);  // what is kept for ever, as the choice of kernels, is there now
  int64_t n = 0;
  for (bool reached = true; reached;) {
    CAPTURE(++n);
    REQUIRE(n < 100'000);
    vit_status status;
    {
      const FailAllocation failing(n, FailAllocation::Extent::kOnce);
      status = open_and_run();
      reached = failing.reached();
    }
    CHECK(status == (reached ? VIT_ERROR_MEMORY : VIT_OK));
  }
  CHECK(n > 500);
}

}  // namespace
}  // namespace vit
