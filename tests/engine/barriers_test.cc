// SPDX-License-Identifier: Apache-2.0
#include "runtime/barriers.h"

#include "runtime/executor.h"
#include "tests/catch.h"

namespace vit {
namespace {

StepAccess step(std::vector<Access> reads, std::vector<int> writes) { return {std::move(reads), std::move(writes), false}; }
constexpr Access own(int buffer) { return {buffer, Scope::kRow}; }
constexpr Access shared(int buffer) { return {buffer, Scope::kImage}; }

}  // namespace

TEST_CASE("a step waits when it reads rows that other threads wrote", "[engine]") {
  CHECK(place_barriers({step({}, {0}), step({own(0)}, {1}), step({shared(1)}, {2})}, 3) == std::vector<bool>{false, false, true});
}

TEST_CASE("a step waits before it overwrites what other threads may still read", "[engine]") {
  CHECK(place_barriers({step({}, {0}), step({shared(0)}, {1}), step({own(1)}, {0})}, 2) == std::vector<bool>{false, true, true});
}

TEST_CASE("two buffers in turn save the second wait", "[engine]") {
  // Keys of block b in buffer b mod 2.
  const std::vector<StepAccess> blocks = {step({}, {0}),          step({shared(0)}, {2}), step({own(2)}, {1}),
                                          step({shared(1)}, {2}), step({own(2)}, {0}),    step({shared(0)}, {2})};
  CHECK(place_barriers(blocks, 3) == std::vector<bool>{false, true, false, true, false, true});
}

TEST_CASE("threads that share columns wait before they read and before they write others' rows, and so do the rows' owners",
          "[engine]") {
  std::vector<StepAccess> steps = {step({}, {0}), step({own(0)}, {1}), step({own(1), own(0)}, {0}), step({own(0)}, {2})};
  steps[1].columns = Columns::kSharedByMany;
  CHECK(place_barriers(steps, 3) == std::vector<bool>{false, false, false, false});
  CHECK(place_barriers(steps, 3, true) == std::vector<bool>{false, true, true, false});
  steps[1].columns = Columns::kShared;
  CHECK(place_barriers(steps, 3) == std::vector<bool>{false, true, true, false});
  // Buffer 1 is read by its rows' owners: who shares columns may not write there before they are done.
  std::vector<StepAccess> again = {step({}, {0}), step({own(1)}, {2}), step({own(0)}, {1})};
  CHECK(place_barriers(again, 3) == std::vector<bool>{false, false, false});
  again[2].columns = Columns::kShared;
  CHECK(place_barriers(again, 3) == std::vector<bool>{false, false, true});
}

TEST_CASE("threads wait before tokens are selected and behind it, where they come to own other rows", "[engine]") {
  std::vector<StepAccess> steps = {step({}, {0}), step({own(0)}, {1}), step({own(1)}, {0}), step({own(0)}, {1})};
  CHECK(place_barriers(steps, 2) == std::vector<bool>{false, false, false, false});
  steps[1].selects = true;
  CHECK(place_barriers(steps, 2) == std::vector<bool>{false, true, true, false});
}

TEST_CASE("threads share columns where each has few rows", "[engine]") {
  CHECK(column_threads(197, 8, 0) == 1);
  CHECK(column_threads(1, 2, 0) == 1);
  CHECK(column_threads(197, 16, 0) == 2);  // 12 rows each, then 24
  CHECK(column_threads(197, 12, 0) == 1);  // 16
  CHECK(column_threads(10, 16, 0) == 16);
  CHECK(column_threads(197, 2, 128) == 2);  // 98 rows each
  CHECK(column_threads(256, 2, 128) == 1);
  CHECK(column_threads(197, 6, 50) == 2);
  CHECK(column_threads(197, 16, 128) == 16);
}

TEST_CASE("a buffer that others read is never called dead", "[engine]") {
  const std::vector<StepAccess> steps = {step({}, {0}), step({own(0)}, {1}), step({shared(1)}, {2}), step({own(2)}, {3})};
  const auto dead = dead_after(steps, {true, true, true, false});
  CHECK(dead[1] == std::vector<int>{0});
  CHECK(dead[2].empty());
  CHECK(dead[3] == std::vector<int>{2});
}

}  // namespace vit
