// SPDX-License-Identifier: Apache-2.0
#include "tools/common/npy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace vit::tool {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kHeaderBytes = 128;         // of the files that we write: room for any shape, data aligned to 64
constexpr uint32_t kMaxHeaderBytes = 65536;  // of the files that we read
constexpr size_t kMaxAxes = 32;              // NumPy's own limit

size_t element_bytes(NpyType type) { return type == NpyType::kFloat32 ? 4 : 1; }

std::string shape_text(const std::vector<size_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

/// The dictionary in front of the data: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }, keys in any order.
class Dictionary {
 public:
  Dictionary(std::string_view text, const std::string& path) : text_(text), path_(path) { parse(); }
  std::string descr;
  bool fortran = false;
  std::vector<size_t> shape;

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(path_ + ": its .npy header is damaged: " + what);
  }
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "' at byte " + std::to_string(at_));
  }
  std::string quoted() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    const size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) fail("expected a string at byte " + std::to_string(at_));
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    fail("fortran_order: expected True or False");
  }
  size_t length() {
    skip_space();
    size_t value = 0;
    const size_t start = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(value, size_t{10}, &value) || __builtin_add_overflow(value, size_t(text_[at_] - '0'), &value))
        fail("shape: a length is too large");
    if (at_ == start) fail("shape: expected a length at byte " + std::to_string(at_));
    return value;
  }
  void tuple() {
    expect('(');
    while (!take(')')) {
      if (shape.size() == kMaxAxes) fail("shape: more than 32 axes");
      shape.push_back(length());
      if (take(',')) continue;
      expect(')');
      break;
    }
  }
  void parse() {
    bool seen[3] = {};
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3 || seen[which]) fail("the key '" + key + "' is " + (which == 3 ? "unknown" : "there twice"));
      seen[which] = true;
      if (which == 0) descr = quoted();
      if (which == 1) fortran = boolean();
      if (which == 2) tuple();
      if (take(',')) continue;
      expect('}');
      break;
    }
    skip_space();
    if (at_ != text_.size()) fail("something follows the dictionary");
    if (!seen[0] || !seen[1] || !seen[2]) fail("descr, fortran_order or shape is missing");
  }

  std::string_view text_;
  const std::string& path_;
  size_t at_ = 0;
};

}  // namespace

NpyReader::NpyReader(const std::string& path) : path_(path == "-" ? "standard input" : path) {
  // Not blocking, so that a FIFO without a writer is seen for what it is instead of waited for.
  fd_ = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) throw std::runtime_error(path_ + ": cannot be opened: " + std::strerror(errno));
  try {
    read_header();
  } catch (...) {
    if (fd_ > STDIN_FILENO) close(fd_);
    throw;
  }
}

NpyReader::~NpyReader() {
  if (fd_ > STDIN_FILENO) close(fd_);
}

void NpyReader::read_header() {
  struct stat info;
  if (fstat(fd_, &info) != 0) throw std::runtime_error(path_ + ": cannot be examined: " + std::strerror(errno));
  const bool regular = S_ISREG(info.st_mode);
  if (fd_ != STDIN_FILENO && !regular)
    throw std::runtime_error(
        path_ + (S_ISDIR(info.st_mode) ? ": is a folder, expected a .npy file" : ": is no regular file, expected a .npy file"));

  unsigned char start[12] = {};
  read_bytes(start, 8);
  if (std::memcmp(start, kMagic.data(), kMagic.size()) != 0) throw std::runtime_error(path_ + ": is no .npy file");
  if (start[6] < 1 || start[6] > 3)
    throw std::runtime_error(path_ + ": expected .npy format 1 to 3, the file has " + std::to_string(start[6]));
  const size_t length_bytes = start[6] == 1 ? 2 : 4;
  read_bytes(start + 8, length_bytes);
  uint32_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= uint32_t{start[8 + i]} << (8 * i);
  if (length > kMaxHeaderBytes) throw std::runtime_error(path_ + ": its .npy header is longer than 64 KiB");
  std::string text(length, ' ');
  read_bytes(text.data(), length);

  const Dictionary header(text, path_);
  if (header.descr != "<f4")
    throw std::runtime_error(path_ + ": expected little-endian float32 ('<f4'), the file has '" + header.descr + "'");
  if (header.fortran) throw std::runtime_error(path_ + ": expected C order, the file is in Fortran order");
  shape_ = header.shape;
  size_t bytes = 4;
  for (const size_t axis : shape_)
    if (__builtin_mul_overflow(bytes, axis, &bytes))
      throw std::runtime_error(path_ + ": its shape " + shape_text(shape_) + " is too large");
  const uint64_t before = 8 + length_bytes + length;
  if (regular && fd_ != STDIN_FILENO &&
      (static_cast<uint64_t>(info.st_size) < before || static_cast<uint64_t>(info.st_size) - before != bytes))
    throw std::runtime_error(path_ + ": its shape " + shape_text(shape_) + " needs " + std::to_string(bytes) +
                             " bytes of data, the file has " + std::to_string(static_cast<uint64_t>(info.st_size) - before));
}

void NpyReader::read(float* to, size_t count) { read_bytes(to, count * sizeof(float)); }

void NpyReader::read_bytes(void* to, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::read(fd_, static_cast<char*>(to) + done, bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::runtime_error(path_ + ": cannot be read: " + std::strerror(errno));
    if (got == 0) throw std::runtime_error(path_ + ": ends too early for a .npy file");
    done += static_cast<size_t>(got);
  }
}

std::string npy_header(NpyType type, const std::vector<size_t>& shape) {
  std::string text = std::string("{'descr': '") + (type == NpyType::kFloat32 ? "<f4" : "|u1") +
                     "', 'fortran_order': False, 'shape': " + shape_text(shape) + ", }";
  text.resize(kHeaderBytes - 10 - 1, ' ');
  std::string header(kMagic);
  header += {'\1', '\0', static_cast<char>(kHeaderBytes - 10), '\0'};
  return header + text + '\n';
}

void NpyWriter::require_fit(const std::vector<size_t>& dims) const {
  if (!started_ || std::equal(rest_.begin(), rest_.end(), dims.begin() + 1, dims.end())) return;
  std::vector<size_t> before = rest_;
  before.insert(before.begin(), dims[0]);
  throw std::runtime_error(output_.path() + ": this input gives " + shape_text(dims) + ", the ones before " + shape_text(before) +
                           "; one file cannot hold both");
}

void NpyWriter::append(const std::vector<size_t>& dims, const void* data) {
  require_fit(dims);
  if (!started_ && output_.seekable()) output_.write(std::string(kHeaderBytes, '\0'));
  started_ = true;
  rest_.assign(dims.begin() + 1, dims.end());
  length_ += dims[0];
  size_t bytes = element_bytes(type_);
  for (const size_t axis : dims) bytes *= axis;
  const std::string_view view(static_cast<const char*>(data), bytes);
  if (output_.seekable())
    output_.write(view);
  else
    kept_ += view;
}

void NpyWriter::finish(const std::vector<size_t>& rest_if_empty) {
  std::vector<size_t> shape = started_ ? rest_ : rest_if_empty;
  if (!started_ || !drop_first_axis_) shape.insert(shape.begin(), length_);
  const std::string header = npy_header(type_, shape);
  if (started_ && output_.seekable()) return output_.rewrite_start(header);
  output_.write(header);
  output_.write(kept_);
}

}  // namespace vit::tool
