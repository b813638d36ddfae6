// SPDX-License-Identifier: Apache-2.0
// When each thread did which step.
#include <set>

#include "runtime/session.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/engine/tiny_model.h"
#include "tests/support/random.h"

namespace vit {

TEST_CASE("each thread's spans are the plan's steps in order, one behind the other, with waits where the plan has barriers",
          "[engine]") {
  const TinyModel tiny;
  Random random(20);
  const auto images = random.normals(5 * 3 * 32 * 32);
  for (const int threads : {1, 2, 3})
    for (const int64_t batch : {1, 2, 3, 5}) {
      CAPTURE(threads, batch);
      Session session(tiny.model(), {.threads = threads, .profile = true});
      for (int run = 0; run < 2; ++run) {  // spans are those of the last run
        const int64_t before = allocations();
        session.run(images.data(), batch, 32, 32, Output::kLogits);
        if (run == 1) CHECK(allocations() == before);
      }
      const int64_t alone = batch / threads * threads, shared = batch - alone;
      const auto steps = static_cast<size_t>(session.counters().steps);
      const std::vector<StepSpan> spans = session.spans();
      const std::vector<StepProfile> plan = session.profile();
      std::multiset<int64_t> found;
      size_t waits = 0;
      for (size_t at = 1; at < spans.size(); ++at)
        if (spans[at - 1].thread == spans[at].thread) CHECK(spans[at - 1].end_us <= spans[at].begin_us);
      for (size_t at = 0; at < spans.size();) {
        const StepSpan& first = spans[at];
        if (first.name.empty()) {
          CHECK(first.begin_us <= first.ready_us);
          CHECK(first.ready_us == first.end_us);
          ++waits, ++at;
          continue;
        }
        REQUIRE(at + steps <= spans.size());
        found.insert(first.image);
        int waited = 0;
        for (size_t s = 0; s < steps; ++s, ++at) {
          CHECK(spans[at].thread == first.thread);
          CHECK(spans[at].image == first.image);
          CHECK(spans[at].name == plan[s].name);
          CHECK(spans[at].implementation == plan[s].implementation);
          CHECK(spans[at].begin_us <= spans[at].ready_us);
          CHECK(spans[at].ready_us <= spans[at].end_us);
          waited += spans[at].ready_us > spans[at].begin_us;
        }
        CHECK(waited <= (first.image < 0 ? tiny.options().depth + 2 : 0));
        if (first.image < 0 && threads > 1) CHECK(waited > 0);
      }
      for (int64_t image = 0; image < alone; ++image) CHECK(found.count(image) == 1);
      CHECK(found.size() == static_cast<size_t>(alone + (shared > 0 ? threads : 0)));
      CHECK(found.count(-1) == static_cast<size_t>(shared > 0 ? threads : 0));
      // Before its first step and behind its last one, and between its own images and the shared ones.
      CHECK(waits == static_cast<size_t>(threads * (alone > 0 && shared > 0 ? 3 : 2)));
    }
}

TEST_CASE("a session that does not profile has no spans", "[engine]") {
  const TinyModel tiny;
  Random random(21);
  const auto image = random.normals(3 * 32 * 32);
  Session session(tiny.model(), {.threads = 2});
  session.run(image.data(), 1, 32, 32, Output::kLogits);
  CHECK(session.spans().empty());
}

}  // namespace vit
