// SPDX-License-Identifier: Apache-2.0
// NumPy's array files, read and written piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/common/output.h"

namespace vit::tool {

/// Reads little-endian float32 in C order. A strict reader: anything else is a std::runtime_error with a sentence.
class NpyReader {
 public:
  /// A regular file, or "-" for standard input.
  explicit NpyReader(const std::string& path);
  NpyReader(const NpyReader&) = delete;
  NpyReader& operator=(const NpyReader&) = delete;
  ~NpyReader();

  const std::vector<size_t>& shape() const { return shape_; }
  /// The next `count` elements.
  void read(float* to, size_t count);

 private:
  void read_bytes(void* to, size_t bytes);
  void read_header();

  std::string path_;
  std::vector<size_t> shape_;
  int fd_ = -1;
};

enum class NpyType { kFloat32, kUint8 };

/// Writes arrays one after another, joined along their first axis. The number is not known before the end: where the output
/// cannot be corrected afterwards (a pipe) everything is kept until then.
class NpyWriter {
 public:
  NpyWriter(Output& output, NpyType type) : output_(output), type_(type) {}

  /// Throws std::runtime_error unless all axes but the first are those of what was appended before.
  void require_fit(const std::vector<size_t>& dims) const;
  /// Appends data of shape `dims`, which fits.
  void append(const std::vector<size_t>& dims, const void* data);
  /// Completes the file. Where nothing was appended: an array without elements of shape [0, rest...].
  void finish(const std::vector<size_t>& rest_if_empty = {});
  /// For one array whose first axis has length 1: the file leaves that axis out.
  void drop_first_axis() { drop_first_axis_ = true; }

 private:
  Output& output_;
  NpyType type_;
  std::vector<size_t> rest_;
  size_t length_ = 0;
  bool started_ = false, drop_first_axis_ = false;
  std::string kept_;
};

/// The 128 bytes in front of the data.
std::string npy_header(NpyType type, const std::vector<size_t>& shape);

}  // namespace vit::tool
