// SPDX-License-Identifier: Apache-2.0
// What tests of equal bits share: pictures of many sizes, threads that come late, and all that this CPU can run.
#pragma once

#include <utility>
#include <vector>

#include "ops/core/cpu.h"
#include "ops/pixels.h"
#include "runtime/session.h"
#include "tests/support/random.h"

namespace vit {

struct Pixels {
  std::vector<uint8_t> data;
  PixelView view;
  Pixels(Random& random, int64_t height, int64_t width) : data(random.bytes(height * width * 3)) {
    view = {data.data(), height, width, width * 3};
  }
};

/// Pictures of 197, 50, 1 and 577 tokens where patches are of 8: 14 x 14, 7 x 7, none, and 24 x 24 with a class token.
std::vector<Pixels> ragged_pictures(Random& random);

/// Keeps a thread busy or asleep for a while that nobody can foresee, before every step.
void delay(int thread, int step) noexcept;

/// All of this CPU in all precisions; under a sanitizer, where a run takes a hundred times as long, the best one.
std::vector<std::pair<Isa, Precision>> all_that_run();

/// Runs the pictures one by one on one thread, then all together: `options` on 1, 2, 3 and 7 threads of each team, delayed and
/// poisoned. Checks that the bits are the same, and answers them.
std::vector<float> check_same_bits(const std::shared_ptr<const Model>& model, const std::vector<Pixels>& pictures,
                                   SessionOptions options, Output want, const std::vector<int>& thread_counts = {1, 2, 3, 7});

}  // namespace vit
