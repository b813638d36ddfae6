// SPDX-License-Identifier: Apache-2.0
// For every n: the n-th allocation, buffer or call to the system fails while a session is made or a picture classified. What was
// there before the failure works afterwards, with the same bits.
#include <cstring>
#include <functional>
#include <vector>

#include "runtime/api/vit.h"
#include "tests/allocations.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/fault/faulty_files.h"
#include "tests/fault/faulty_memory.h"

namespace vit {
namespace {

constexpr size_t kLabels = 3;
const std::string kPhoto = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/images/png_rgb_8.png";

ModelHandle open_rectangle() {
  const std::string path = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/models/vit-rectangle";
  vit_model* model = nullptr;
  REQUIRE(vit_model_open(path.c_str(), nullptr, &model) == VIT_OK);
  return ModelHandle(model);
}

SessionHandle session_of(const vit_model* model, vit_status* status) {
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.threads = 1;
  options.height = 32, options.width = 36;  // not the model's own, so that its positions are interpolated
  vit_session* session = nullptr;
  *status = vit_session_create(model, &options, &session);
  return SessionHandle(session);
}

struct Answer {
  vit_status status = VIT_OK;
  float logits[kLabels] = {};
};

/// The picture's labels, by vit_classify(); logits by label.
Answer classify(vit_session* session) {
  const vit_image image = vit_image_path(kPhoto.c_str());
  vit_class best[kLabels];
  size_t found = 0;
  Answer answer;
  answer.status = vit_classify(session, &image, 1, kLabels, best, &found);
  if (answer.status == VIT_OK)
    for (size_t i = 0; i < found; ++i) answer.logits[best[i].index] = best[i].logit;
  return answer;
}

bool same(const Answer& a, const Answer& b) {
  return a.status == VIT_OK && b.status == VIT_OK && std::memcmp(a.logits, b.logits, sizeof a.logits) == 0;
}

/// Makes the n-th call of some kind fail while `body` runs; answers whether there was an n-th.
using Failing = std::function<bool(int n, const std::function<void()>& body)>;

const std::vector<std::pair<vit_status, Failing>>& allocations_and_buffers() {
  static const std::vector<std::pair<vit_status, Failing>> ways = {
      {VIT_ERROR_MEMORY,
       [](int n, const std::function<void()>& body) {
         const FailAllocation failing(n, FailAllocation::Extent::kOnce);
         return body(), failing.reached();
       }},
      {VIT_ERROR_MEMORY,
       [](int n, const std::function<void()>& body) {
         const FailMalloc failing(n);
         return body(), failing.reached();
       }},
      {VIT_ERROR_MEMORY, [](int n, const std::function<void()>& body) {
         const FaultyMemory faulty(n);
         return body(), FaultyMemory::reached();
       }}};
  return ways;
}

TEST_CASE("a session is refused for want of memory at the n-th allocation, and the model goes on", "[fault]") {
  const ModelHandle model = open_rectangle();
  vit_status status = VIT_OK;
  const Answer expected = classify(session_of(model.get(), &status).get());
  REQUIRE(expected.status == VIT_OK);
  for (const auto& [refusal, failing] : allocations_and_buffers()) {
    int n = 0;
    for (bool reached = true; reached;) {
      CAPTURE(++n);
      REQUIRE(n < 10'000);
      SessionHandle session;
      reached = failing(n, [&] { session = session_of(model.get(), &status); });
      CHECK(status == (reached ? refusal : VIT_OK));
      CHECK((session != nullptr) == !reached);
      if (n % 16 == 1) CHECK(same(classify(session_of(model.get(), &status).get()), expected));
    }
  }
}

TEST_CASE("a picture is refused at the n-th allocation of its session's first run, and the session goes on", "[fault]") {
  const ModelHandle model = open_rectangle();
  vit_status status = VIT_OK;
  const Answer expected = classify(session_of(model.get(), &status).get());
  for (const auto& [refusal, failing] : allocations_and_buffers()) {
    int n = 0;
    for (bool reached = true; reached;) {
      CAPTURE(++n);
      REQUIRE(n < 10'000);
      const SessionHandle session = session_of(model.get(), &status);
      Answer answer;
      reached = failing(n, [&] { answer = classify(session.get()); });
      CHECK(answer.status == (reached ? refusal : VIT_OK));
      if (reached) CHECK(std::strlen(vit_last_error()) > 0);
      CHECK(same(classify(session.get()), expected));
    }
    CHECK(n > 3);
  }
}

TEST_CASE("a picture is refused at the n-th allocation of a later run, and the session goes on", "[fault]") {
  const ModelHandle model = open_rectangle();
  vit_status status = VIT_OK;
  const SessionHandle session = session_of(model.get(), &status);
  const Answer expected = classify(session.get());
  for (const auto& [refusal, failing] : allocations_and_buffers()) {
    int n = 0;
    for (bool reached = true; reached;) {
      CAPTURE(++n);
      REQUIRE(n < 10'000);
      Answer answer;
      reached = failing(n, [&] { answer = classify(session.get()); });
      CHECK(answer.status == (reached ? refusal : VIT_OK));
      CHECK(same(classify(session.get()), expected));
    }
    CHECK(n > 1);
  }
}

TEST_CASE("a picture is refused when the n-th open, stat or read fails, and the session goes on", "[fault]") {
  const Call kind = GENERATE(Call::kOpen, Call::kStat, Call::kRead);
  const ModelHandle model = open_rectangle();
  vit_status status = VIT_OK;
  const SessionHandle session = session_of(model.get(), &status);
  const Answer expected = classify(session.get());
  int n = 0;
  for (bool failed = true; failed;) {
    CAPTURE(static_cast<int>(kind), ++n);
    REQUIRE(n < 100);
    Answer answer;
    {
      FaultyFiles faulty(kind, n);
      answer = classify(session.get());
      failed = FaultyFiles::failed();
      CHECK(FaultyFiles::open_descriptors() == 0);
    }
    CHECK(answer.status == (failed ? VIT_ERROR_IO : VIT_OK));
    if (failed) CHECK(std::string(vit_last_error()).find(kPhoto) == 0);
    CHECK(same(classify(session.get()), expected));
  }
  CHECK(n > 1);
}

}  // namespace
}  // namespace vit
