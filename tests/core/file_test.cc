// SPDX-License-Identifier: Apache-2.0
// Files as they should not be: absent, folders, pipes, devices, too large.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "ops/core/error.h"
#include "ops/core/file.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

/// The sentence of the Error(kIo) that `call` throws; empty when it throws none.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kIo);
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  CAPTURE(text, part);
  return text.find(part) != std::string::npos;
}

std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

TEST_CASE("read_file and Mapping give a file's bytes", "[core]") {
  const TempFolder folder;
  const size_t size = GENERATE(size_t{0}, size_t{1}, size_t{4095}, size_t{65536}, size_t{65537}, size_t{300001});
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 + i / 256);
  const std::string path = folder.write("file", content);

  CHECK(text_of(read_file(path, size)) == content);
  CHECK(text_of(Mapping(path).bytes()) == content);
  if (size > 0) CHECK(contains(refusal([&] { read_file(path, size - 1); }), "the limit is"));
}

TEST_CASE("a mapping moves, and its bytes stay readable when they were dropped", "[core]") {
  const TempFolder folder;
  const std::string content(20000, 'x');
  Mapping first(folder.write("file", content));
  const uint8_t* const at = first.bytes().data();
  Mapping second = std::move(first);
  CHECK(second.bytes().data() == at);
  second.drop(at, second.bytes().size());
  CHECK(text_of(second.bytes()) == content);
  Mapping third;
  third = std::move(second);
  CHECK(text_of(third.bytes()) == content);
}

TEST_CASE("a borrowed mapping leaves its bytes to their owner", "[core]") {
  const std::vector<uint8_t> owned{1, 2, 3};
  {
    const Mapping mapping = Mapping::borrow(owned);
    CHECK(mapping.bytes().data() == owned.data());
    mapping.drop(owned.data(), owned.size());
    Mapping other;
    other = Mapping::borrow(owned);
  }
  CHECK(owned == std::vector<uint8_t>{1, 2, 3});
}

TEST_CASE("what is no file is refused with what it is", "[core]") {
  const TempFolder folder;
  const std::string absent = folder.path("absent");
  CHECK(contains(refusal([&] { read_file(absent, 100); }), "absent: cannot be opened: No such file"));
  CHECK(contains(refusal([&] { Mapping mapping(absent); }), "absent: cannot be opened: No such file"));
  CHECK(contains(refusal([&] { read_file(folder.path(), 100); }), "found a directory"));
  CHECK(contains(refusal([&] { Mapping mapping(folder.path()); }), "found a directory"));
  CHECK(contains(refusal([&] { Mapping mapping("/dev/zero"); }), "expected a regular file"));
  CHECK(contains(refusal([&] { read_file("/dev/zero", 100000); }), "has more than 100000 bytes"));
}

TEST_CASE("a path says what it leads to", "[core]") {
  const TempFolder folder;
  CHECK(path_kind(folder.path()) == PathKind::kDirectory);
  CHECK(path_kind(folder.write("file", "x")) == PathKind::kFile);
  CHECK(path_kind(folder.path("absent")) == PathKind::kAbsent);
  CHECK(path_kind("/dev/null") == PathKind::kOther);
}

TEST_CASE("a pipe without a writer is refused in time, never waited for", "[core]") {
  const TempFolder folder;
  const std::string path = folder.path("pipe");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK(contains(refusal([&] { read_file(path, 100, /*wait_ms=*/20); }), "a pipe that nobody writes to"));
  CHECK(contains(refusal([&] { Mapping mapping(path); }), "expected a regular file"));
}

TEST_CASE("a pipe with a writer is read to its end, or up to the limit", "[core]") {
  const TempFolder folder;
  const std::string path = folder.path("pipe");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const std::string content(200001, 'p');
  std::thread writer([&] {
    // Non-blocking, so that a reader that gives up does not leave this thread behind.
    const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK);
    for (size_t at = 0, idle = 0; at < content.size() && idle < 400;) {
      const ssize_t n = ::write(fd, content.data() + at, content.size() - at);
      if (n > 0)
        at += static_cast<size_t>(n);
      else
        std::this_thread::sleep_for(std::chrono::milliseconds(1)), ++idle;
    }
    // The reader must have taken everything before the last writer closes: Linux keeps what is in the pipe for it anyway.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::close(fd);
  });
  SECTION("to its end") {
    std::string read;
    CHECK(refusal([&] { read = text_of(read_file(path, content.size(), 5000)); }).empty());
    CHECK(read == content);
  }
  SECTION("up to the limit") {
    CHECK(contains(refusal([&] { read_file(path, 1000, 5000); }), "has more than 1000 bytes"));
  }
  writer.join();
}

TEST_CASE("every call to the system that fails becomes a sentence", "[core]") {
  const TempFolder folder;
  const std::string path = folder.write("file", "content");
  const FileSeam saved = file_seam();
  std::string by_reading, by_mapping;
  SECTION("open") {
    file_seam().open = [](const char*, int, int) { return errno = EIO, -1; };
    by_reading = refusal([&] { read_file(path, 100); });
    by_mapping = refusal([&] { Mapping mapping(path); });
  }
  SECTION("stat") {
    file_seam().stat = [](int, uint64_t*, bool*, bool*) { return errno = EIO, -1; };
    by_reading = refusal([&] { read_file(path, 100); });
    by_mapping = refusal([&] { Mapping mapping(path); });
  }
  SECTION("read and map") {
    file_seam().read = [](int, void*, size_t) { return errno = EIO, int64_t{-1}; };
    file_seam().map = [](int, size_t) { return errno = EIO, reinterpret_cast<void*>(-1); };
    by_reading = refusal([&] { read_file(path, 100); });
    by_mapping = refusal([&] { Mapping mapping(path); });
  }
  file_seam() = saved;
  CHECK(contains(by_reading, std::strerror(EIO)));
  CHECK(contains(by_mapping, std::strerror(EIO)));
}

}  // namespace
}  // namespace vit
