// SPDX-License-Identifier: Apache-2.0
// For every n: the n-th call to the system, or the n-th allocation, fails while a model's files are read.
#include <new>

#include "ops/core/error.h"
#include "runtime/io/model_folder.h"
#include "runtime/model.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/fault/faulty_files.h"
#include "tests/io/bytes.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

/// Two shards with their index, a configuration and a preparation: every kind of file that a model has.
void write_model(const TempFolder& folder) {
  folder.write("config.json", R"({"model_type":"vit","hidden_size":4})");
  folder.write("preprocessor_config.json", R"({"size":{"height":8,"width":8}})");
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"encoder.layer.0.weight":"a.safetensors","encoder.layer.0.bias":"b.safetensors"}})");
  folder.write("a.safetensors",
               safetensors_file(R"({"encoder.layer.0.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})", zeros(16)));
  folder.write("b.safetensors",
               safetensors_file(R"({"encoder.layer.0.bias":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", zeros(4)));
}

TEST_CASE("a model is refused in a sentence when the n-th open, stat, read or map fails", "[fault]") {
  const Call kind = GENERATE(Call::kOpen, Call::kStat, Call::kRead, Call::kMap);
  const TempFolder folder;
  write_model(folder);
  int n = 0;
  for (bool failed = true; failed;) {
    CAPTURE(static_cast<int>(kind), ++n);
    REQUIRE(n < 100);
    FaultyFiles faulty(kind, n);
    std::string sentence;
    try {
      const ModelFiles files = open_model_files(folder.path(), ModelOptions{});
      CHECK(files.weights->tensors().size() == 2);
    } catch (const Error& error) {
      CHECK(error.code() == Code::kModel);
      sentence = error.what();
    }
    failed = faulty.failed();
    CHECK(sentence.empty() == !failed);
    if (failed) CHECK(sentence.find(folder.path()) == 0);
    CHECK(FaultyFiles::open_descriptors() == 0);
    CHECK(FaultyFiles::live_mappings() == 0);
  }
  CHECK(n > 2);  // at least two calls of the kind were there to fail
}

enum class Outcome { kLoaded, kError, kNoMemory, kOther };

Outcome open_with_failing_allocation(const std::string& path, int64_t n, FailAllocation::Extent extent, bool* reached) {
  const ModelOptions options;
  Outcome outcome = Outcome::kLoaded;
  const FailAllocation failing(n, extent);
  try {
    const ModelFiles files = open_model_files(path, options);
  } catch (const Error& error) {
    outcome = Outcome::kError;
  } catch (const std::bad_alloc&) {
    outcome = Outcome::kNoMemory;
  } catch (...) {
    outcome = Outcome::kOther;
  }
  *reached = failing.reached();
  return outcome;
}

TEST_CASE("a model is refused by an Error when the n-th allocation fails", "[fault]") {
  const TempFolder folder;
  write_model(folder);
  bool reached = true;
  int64_t n = 0;
  while (reached) {
    CAPTURE(++n);
    REQUIRE(n < 10'000);
    FaultyFiles counting(Call::kOpen, 0);
    const Outcome outcome = open_with_failing_allocation(folder.path(), n, FailAllocation::Extent::kOnce, &reached);
    CHECK(outcome == (reached ? Outcome::kError : Outcome::kLoaded));
    CHECK(FaultyFiles::open_descriptors() == 0);
    CHECK(FaultyFiles::live_mappings() == 0);
  }
  CHECK(n > 50);
}

TEST_CASE("with no memory left at all nothing worse than bad_alloc leaves the loader", "[fault]") {
  const TempFolder folder;
  write_model(folder);
  bool reached = true;
  for (int64_t n = 1; reached; ++n) {
    CAPTURE(n);
    REQUIRE(n < 10'000);
    FaultyFiles counting(Call::kOpen, 0);
    const Outcome outcome = open_with_failing_allocation(folder.path(), n, FailAllocation::Extent::kOnwards, &reached);
    if (reached) {
      CHECK((outcome == Outcome::kError || outcome == Outcome::kNoMemory));
    } else {
      CHECK(outcome == Outcome::kLoaded);
    }
    CHECK(FaultyFiles::open_descriptors() == 0);
    CHECK(FaultyFiles::live_mappings() == 0);
  }
}

}  // namespace
}  // namespace vit
