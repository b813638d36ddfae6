// SPDX-License-Identifier: Apache-2.0
// in_order(): order, bounds and ends, under random delays. Among [core], which the thread sanitizer runs, too.
#include "tools/common/in_order.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "tests/catch.h"

using namespace vit::tool;

namespace {

void delay(unsigned n) { std::this_thread::sleep_for(std::chrono::microseconds(n * 2654435761u % 300)); }

struct Numbers {
  int next = 0, end = 0;
  std::optional<int> operator()() { return next < end ? std::optional(next++) : std::nullopt; }
};

TEST_CASE("pieces are told of in the order in which they were taken", "[core]") {
  for (const size_t workers : {1, 2, 3, 7}) {
    Numbers numbers{0, 200};
    std::vector<int> told;
    std::atomic<int> taken = 0, most = 0;
    std::atomic<bool> in_range = true;
    in_order(
        workers, 2 * workers,
        [&] {
          const std::optional<int> n = numbers();
          if (n) most = std::max(most.load(), ++taken);
          return n;
        },
        [&](size_t worker, int& n) {
          in_range = in_range && worker < workers;
          delay(static_cast<unsigned>(n));
          n *= 2;
        },
        [&](const int& n) {
          told.push_back(n);
          --taken;
          return true;
        });
    CHECK(in_range);
    REQUIRE(told.size() == 200);
    for (int i = 0; i < 200; ++i) CHECK(told[static_cast<size_t>(i)] == 2 * i);
    CHECK(most <= static_cast<int>(2 * workers) + 1);  // one may be on its way to be told of
  }
}

TEST_CASE("what is thrown comes out behind all that was taken before it", "[core]") {
  for (const bool by_take : {false, true}) {
    Numbers numbers{0, 50};
    std::vector<int> told;
    const auto run = [&] {
      in_order(
          3, 6,
          [&] {
            const std::optional<int> n = numbers();
            if (by_take && n == 20) throw std::runtime_error("20");
            return n;
          },
          [&](size_t, int& n) {
            delay(static_cast<unsigned>(n));
            if (!by_take && n == 20) throw std::runtime_error("20");
          },
          [&](const int& n) { return told.push_back(n), true; });
    };
    CHECK_THROWS_WITH(run(), "20");
    CHECK(told.size() == 20);
  }
}

TEST_CASE("whoever tells may end it", "[core]") {
  Numbers numbers{0, 1'000'000};
  size_t told = 0;
  in_order(
      2, 4, [&] { return numbers(); }, [](size_t, int&) {}, [&](const int&) { return ++told < 5; });
  CHECK(told == 5);
  CHECK(numbers.next < 20);
}

}  // namespace
