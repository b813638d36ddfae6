// SPDX-License-Identifier: Apache-2.0
// Shapes, arithmetic on sizes, memory and the choice of an instruction set.
#include <algorithm>
#include <cstdlib>
#include <limits>

#include "ops/core/checked.h"
#include "ops/core/cpu.h"
#include "ops/core/error.h"
#include "ops/core/memory.h"
#include "ops/core/shape.h"
#include "tests/catch.h"

namespace vit {
namespace {

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code::kInternal, "nothing was thrown");
}

/// Puts back what a test changes.
class SavedMemorySeam {
 public:
  ~SavedMemorySeam() { memory_seam() = saved_; }

 private:
  MemorySeam saved_ = memory_seam();
};

class SavedIsaVariable {
 public:
  SavedIsaVariable() {
    if (const char* value = std::getenv("VIT_ISA")) saved_ = value, was_set_ = true;
  }
  ~SavedIsaVariable() { was_set_ ? setenv("VIT_ISA", saved_.c_str(), 1) : unsetenv("VIT_ISA"); }

 private:
  std::string saved_;
  bool was_set_ = false;
};

int released = 0;

TEST_CASE("a shape counts its elements and prints as NumPy does", "[core]") {
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{3, 5, 7}.elements() == 105);
  CHECK(Shape{3, 5, 7}[-1] == 7);
  CHECK(Shape{3, 5, 7}[0] == 3);
  CHECK(str(Shape{}) == "[]");
  CHECK(str(Shape{2304, 768}) == "[2304, 768]");
  CHECK(Shape{1, 2} == Shape(std::vector<int64_t>{1, 2}));
  CHECK_FALSE(Shape{1, 2} == Shape{2, 1});
}

TEST_CASE("a shape with a zero has no elements, whatever its other lengths multiply to", "[core]") {
  const int64_t huge = int64_t{1} << 40;
  CHECK(Shape{0, huge, huge}.elements() == 0);
  CHECK(Shape{huge, huge, 0}.elements() == 0);
}

TEST_CASE("products and sums of sizes say when they do not fit", "[core]") {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  uint64_t out = 0;
  CHECK(mul_ok(uint64_t{1} << 32, (uint64_t{1} << 32) - 1, &out));
  CHECK(out == kMost - ((uint64_t{1} << 32) - 1));
  CHECK_FALSE(mul_ok(uint64_t{1} << 32, uint64_t{1} << 32, &out));
  CHECK(add_ok(kMost, 0, &out));
  CHECK(out == kMost);
  CHECK_FALSE(add_ok(kMost, 1, &out));
  CHECK(round_up(17, 16) == 32);
  CHECK(round_up(32, 16) == 32);
  CHECK(ceil_div(17, 16) == 2);
  CHECK(ceil_div(16, 16) == 1);
}

TEST_CASE("a buffer is zeroed, aligned and moves without copying", "[core]") {
  const int64_t count = GENERATE(1, 7, 1000, 5'000'001);  // the last one is large enough for huge pages
  Buffer<float> buffer(count);
  CHECK(buffer.size() == count);
  CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % 64 == 0);
  bool zero = true;
  for (const float x : buffer) zero = zero && x == 0.0f;
  CHECK(zero);
  const float* const at = buffer.data();
  const Buffer<float> moved = std::move(buffer);
  CHECK(moved.data() == at);
}

TEST_CASE("memory that cannot be had is an error, never a null pointer", "[core]") {
  SavedMemorySeam saved;
  SECTION("the system has none") {
    memory_seam().allocate = [](size_t, size_t) -> void* { return nullptr; };
    const Error error = error_of([] { Buffer<float> buffer(1000); });
    CHECK(error.code() == Code::kMemory);
    CHECK(std::string(error.what()).find("4000 bytes") != std::string::npos);
  }
  SECTION("the size does not fit after rounding") {
    CHECK(error_of([] { RawBuffer buffer(std::numeric_limits<size_t>::max() - 10); }).code() == Code::kMemory);
  }
  SECTION("the size does not fit in bytes") {
    CHECK(error_of([] { Buffer<double> buffer(int64_t{1} << 61); }).code() == Code::kMemory);
    CHECK(error_of([] { Buffer<double> buffer(-1); }).code() == Code::kMemory);
  }
}

TEST_CASE("a buffer gives back what it took, once", "[core]") {
  SavedMemorySeam saved;
  released = 0;
  memory_seam() = {[](size_t bytes, size_t alignment) { return std::aligned_alloc(alignment, bytes); },
                   [](void* at) { ++released, std::free(at); }};
  {
    Buffer<int> a(10), b(20);
    Buffer<int> c = std::move(a);
    c = std::move(b);
    CHECK(released <= 1);
  }
  CHECK(released == 2);
  { Buffer<int> none; }
  CHECK(released == 2);
}

TEST_CASE("buffers that share pages are apart, zeroed, and given back with the last of them", "[core]") {
  SavedMemorySeam saved;
  released = 0;
  static int taken;
  taken = 0;
  memory_seam() = {[](size_t bytes, size_t alignment) { return ++taken, std::aligned_alloc(alignment, bytes); },
                   [](void* at) { ++released, std::free(at); }};
  constexpr int64_t kBytes = 300'001;
  {
    std::vector<Buffer<uint8_t>> buffers;
    const auto add = [&] { buffers.emplace_back(kBytes, Pages::kShared); };
    while (taken < 3) {
      add();
      const Buffer<uint8_t>& last = buffers.back();
      CHECK(reinterpret_cast<uintptr_t>(last.data()) % 64 == 0);
      CHECK(std::all_of(last.begin(), last.end(), [](uint8_t byte) { return byte == 0; }));
      std::fill(last.begin(), last.end(), static_cast<uint8_t>(buffers.size()));
    }
    CHECK(buffers.size() == 20);  // 2 MiB hold 6, 4 MiB 13
    for (size_t i = 0; i < buffers.size(); ++i)
      CHECK(std::all_of(buffers[i].begin(), buffers[i].end(), [&](uint8_t byte) { return byte == static_cast<uint8_t>(i + 1); }));
    Buffer<uint8_t> kept = std::move(buffers.front());
    buffers.clear();
    CHECK(released == 2);
    CHECK(kept[kBytes - 1] == 1);
    { const Buffer<uint8_t> small(1000, Pages::kShared); }  // has its own
    CHECK(released == 3);
    memory_seam().allocate = [](size_t, size_t) -> void* { return nullptr; };
    CHECK(error_of([] { Buffer<uint8_t> none(kBytes, Pages::kShared); }).code() == Code::kMemory);
  }
  CHECK(released == taken);
}

TEST_CASE("an instruction set is chosen by name, by VIT_ISA or as the best", "[core]") {
  SavedIsaVariable saved;
  unsetenv("VIT_ISA");
  REQUIRE_FALSE(usable_isas().empty());
  CHECK(choose_isa() == usable_isas().back());
  for (const Isa isa : usable_isas()) {
    CHECK(choose_isa(isa_name(isa)) == isa);
    setenv("VIT_ISA", isa_name(isa), 1);
    CHECK(choose_isa() == isa);
  }
  setenv("VIT_ISA", "nonsense", 1);
  CHECK(choose_isa(isa_name(usable_isas().front())) == usable_isas().front());  // the option is stronger than the variable
  setenv("VIT_ISA", "", 1);
  CHECK(choose_isa() == usable_isas().back());
}

TEST_CASE("an instruction set that is not there is refused with those that are", "[core]") {
  SavedIsaVariable saved;
  const auto check = [](const Error& error, const std::string& source) {
    CHECK(error.code() == Code::kUnsupported);
    const std::string sentence = error.what();
    CAPTURE(sentence);
    CHECK(sentence.find(source) == 0);
    CHECK(sentence.find("avx9000") != std::string::npos);
    CHECK(sentence.find(isa_name(usable_isas().front())) != std::string::npos);
  };
  check(error_of([] { choose_isa("avx9000"); }), "isa:");
  setenv("VIT_ISA", "avx9000", 1);
  check(error_of([] { choose_isa(); }), "VIT_ISA:");
}

TEST_CASE("the machine describes itself", "[core]") {
  CHECK_FALSE(cpu_name().empty());
  CHECK(l2_bytes() >= 16 * 1024);
}

}  // namespace
}  // namespace vit
