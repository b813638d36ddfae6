// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/ragged.h"

#include <unistd.h>

#include <atomic>
#include <cstring>

#include "tests/catch.h"

namespace vit {

std::vector<Pixels> ragged_pictures(Random& random) {
  std::vector<Pixels> pictures;
  for (const auto& [height, width] : {std::pair{112, 112}, std::pair{56, 56}, std::pair{7, 7}, std::pair{192, 192}})
    pictures.emplace_back(random, height, width);
  return pictures;
}

void delay(int thread, int step) noexcept {
  thread_local Random random(static_cast<uint64_t>(thread) * 977 + 1);
  const int64_t kind = random.below(8);
  if (kind == 0) usleep(static_cast<useconds_t>(random.below(200)));
  if (kind == 1)
    for (int64_t i = random.below(3000 + step); i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

std::vector<std::pair<Isa, Precision>> all_that_run() {
  std::vector<std::pair<Isa, Precision>> all;
  for (const Isa isa : usable_isas()) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    if (isa != usable_isas().back()) continue;
#endif
    for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kInt8}) all.emplace_back(isa, precision);
  }
  return all;
}

std::vector<float> check_same_bits(const std::shared_ptr<const Model>& model, const std::vector<Pixels>& pictures,
                                   SessionOptions options, Output want, const std::vector<int>& thread_counts) {
  std::vector<PixelView> batch;
  std::vector<float> single;
  options.threads = 1;
  for (const Pixels& picture : pictures) {
    batch.push_back(picture.view);
    Session session(model, options);
    session.run({&picture.view, 1}, want);
    const ResultView r = session.output();
    single.insert(single.end(), r.data, r.data + r.shape.elements());
  }
  options.before_step = delay;
  options.poison = true;
  for (const int threads : thread_counts)
    for (const TeamKind team : {TeamKind::kOpenMp, TeamKind::kThreads}) {
      CAPTURE(threads, static_cast<int>(team), static_cast<int>(want));
      if (team == TeamKind::kOpenMp && default_team() != team) continue;  // a sanitizer that does not know OpenMP
      options.threads = threads;
      options.team = team;
      Session session(model, options);
      for (int run = 0; run < 2; ++run) {
        session.run(batch, want);
        const ResultView r = session.output();
        REQUIRE(r.shape.elements() == static_cast<int64_t>(single.size()));
        CHECK(std::memcmp(r.data, single.data(), single.size() * sizeof(float)) == 0);
      }
    }
  return single;
}

}  // namespace vit
