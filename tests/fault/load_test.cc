// SPDX-License-Identifier: Apache-2.0
// For every n: the n-th call to the system, or the n-th allocation, fails while a model's files are read.
#include <sys/mman.h>

#include <cerrno>
#include <new>

#include "ops/core/error.h"
#include "runtime/io/model_folder.h"
#include "runtime/model.h"
#include "tests/allocations.h"
#include "tests/catch.h"
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

enum class Call { kOpen, kStat, kRead, kMap };

/// Counts the calls to the system, makes the n-th one of a kind fail, and puts the system's table back.
class FaultyFiles {
 public:
  FaultyFiles(Call kind, int nth) {
    system_ = file_seam();
    kind_ = kind;
    left_ = nth;
    descriptors_ = mappings_ = 0;
    failed_ = false;
    FileSeam& seam = file_seam();
    seam.open = [](const char* path, int flags, int mode) {
      if (fails(Call::kOpen, EMFILE)) return -1;
      const int fd = system_.open(path, flags, mode);
      descriptors_ += fd >= 0;
      return fd;
    };
    seam.close = [](int fd) { return --descriptors_, system_.close(fd); };
    seam.stat = [](int fd, uint64_t* bytes, bool* regular, bool* directory) {
      return fails(Call::kStat, EIO) ? -1 : system_.stat(fd, bytes, regular, directory);
    };
    seam.read = [](int fd, void* to, size_t bytes) {
      return fails(Call::kRead, EIO) ? int64_t{-1} : system_.read(fd, to, bytes);
    };
    seam.map = [](int fd, size_t bytes) {
      if (fails(Call::kMap, ENOMEM)) return MAP_FAILED;
      void* const at = system_.map(fd, bytes);
      mappings_ += at != MAP_FAILED;
      return at;
    };
    seam.unmap = [](void* at, size_t bytes) { return --mappings_, system_.unmap(at, bytes); };
  }
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;
  ~FaultyFiles() { file_seam() = system_; }

  static bool failed() { return failed_; }
  static int open_descriptors() { return descriptors_; }
  static int live_mappings() { return mappings_; }

 private:
  static bool fails(Call kind, int error) {
    if (kind != kind_ || --left_ != 0) return false;
    errno = error;
    return failed_ = true;
  }

  static inline FileSeam system_;
  static inline Call kind_;
  static inline int left_, descriptors_, mappings_;
  static inline bool failed_;
};

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
