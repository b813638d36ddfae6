// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/checksum.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

namespace vit {
namespace {

// One core reads a file's pages, which are mapped as it goes, slower than memory gives them; to start a thread takes as long as
// to read a megabyte.
constexpr size_t kLeastPart = size_t{8} << 20;
constexpr size_t kMostThreads = 4;

}  // namespace

uint32_t file_checksum(Bytes bytes) {
  const size_t threads = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostThreads);
  const size_t parts = std::clamp<size_t>(bytes.size() / kLeastPart, 1, threads);
  const auto part = [&](size_t i) { return bytes.first(bytes.size() * (i + 1) / parts).subspan(bytes.size() * i / parts); };
  const auto sum_of = [](Bytes some) { return libdeflate_crc32(0, some.data(), some.size()); };
  std::vector<std::future<uint32_t>> others;
  for (size_t i = 1; i < parts; ++i)  // where there are no more threads, it is done below
    others.push_back(std::async(std::launch::async | std::launch::deferred, sum_of, part(i)));
  uint32_t sum = sum_of(part(0));
  for (size_t i = 1; i < parts; ++i)
    sum = static_cast<uint32_t>(crc32_combine(sum, others[i - 1].get(), static_cast<z_off_t>(part(i).size())));
  return sum;
}

}  // namespace vit
