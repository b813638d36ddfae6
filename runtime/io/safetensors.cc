// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/safetensors.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "ops/core/checked.h"
#include "ops/core/error.h"
#include "runtime/io/json_fields.h"
#include "runtime/io/printable.h"
#include "runtime/io/sniff.h"

namespace vit {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kFormatLimit = 100'000'000;  ///< on the header, by the format itself
constexpr size_t kMaxRank = 64;                 ///< as PyTorch and NumPy

struct Encoding {
  std::string_view code;
  uint64_t bits;
  DType type = DType::kOther;
};

constexpr Encoding kEncodings[] = {
    {"F32", 32, DType::kF32},
    {"F16", 16, DType::kF16},
    {"BF16", 16, DType::kBF16},
    {"F64", 64, DType::kF64},
    {"BOOL", 8},
    {"I8", 8},
    {"U8", 8},
    {"I16", 16},
    {"U16", 16},
    {"I32", 32},
    {"U32", 32},
    {"I64", 64},
    {"U64", 64},
    {"C64", 64},
    {"F8_E5M2", 8},
    {"F8_E4M3", 8},
    {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8},
    {"F4", 4},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
};

/// One tensor of the header, read and not yet placed.
struct Entry {
  Tensor tensor;
  uint64_t begin = 0, end = 0;
};

/// Everything about one file, so that the rules below read as sentences.
class Reader {
 public:
  Reader(Bytes file, const std::string& path, uint64_t max_header_bytes)
      : file_(file), path_(path), name_(path.substr(path.find_last_of('/') + 1)), limit_(max_header_bytes) {}

  Safetensors read() {
    const std::string_view header = find_header();
    read_header(header);
    place(kLengthBytes + header.size());
    return std::move(result_);
  }

 private:
  std::string_view find_header() const;
  void read_header(std::string_view header);
  void read_metadata(const Json& value);
  Entry read_entry(const std::string& name, const Json& value) const;
  Shape read_shape(const std::string& name, const Json& value) const;
  void place(uint64_t data_begin);

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw Error(Code::kModel, str(path_, ": ", parts...));
  }
  template <class... Parts>
  [[noreturn]] void refuse_tensor(const std::string& tensor, const Parts&... parts) const {
    throw Error(Code::kModel, str(path_, ": tensor ", printable(tensor), ": ", parts...));
  }

  Bytes file_;
  const std::string& path_;
  std::string name_;
  uint64_t limit_;
  std::vector<Entry> entries_;
  Safetensors result_;
};

std::string_view Reader::find_header() const {
  if (file_.empty()) refuse("expected a safetensors file, found an empty file");
  uint64_t header_bytes = 0;
  if (file_.size() >= kLengthBytes)
    for (int i = kLengthBytes - 1; i >= 0; --i) header_bytes = header_bytes << 8 | file_[static_cast<size_t>(i)];

  // Text and other containers begin with bytes that would make an absurd length.
  if (file_.size() < kLengthBytes || header_bytes > kFormatLimit) {
    std::string other = recognise_other_format(file_);
    if (other.empty()) other = recognise_other_name(name_);
    if (!other.empty()) refuse("expected a safetensors file, found ", other);
    if (file_.size() < kLengthBytes)
      refuse("expected a safetensors file, found ", file_.size(), " bytes, too few for its header's length");
    refuse("expected a safetensors header of at most ", kFormatLimit, " bytes, found one of ", header_bytes);
  }
  if (header_bytes > limit_) refuse("its header has ", header_bytes, " bytes, the limit is ", limit_);
  if (header_bytes > file_.size() - kLengthBytes)
    refuse("the file has ", file_.size(), " bytes, its header alone promises ", kLengthBytes + header_bytes,
           ": a truncated download or no safetensors file");
  return {reinterpret_cast<const char*>(file_.data()) + kLengthBytes, static_cast<size_t>(header_bytes)};
}

void Reader::read_header(std::string_view header) {
  // The JSON library would pass over a byte order mark, the format does not.
  const size_t first = header.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) refuse("expected a safetensors header that begins with '{', found none");
  if (header[first] != '{')
    refuse("expected a safetensors header that begins with '{', found '", printable(header.substr(first, 8)), "'");
  const JsonDocument document = parse_json(header, path_ + ": header");
  const Json& members = document;
  entries_.reserve(members.size());
  for (const auto& [name, value] : members.items()) {
    if (name == "__metadata__") {
      read_metadata(value);
    } else {
      entries_.push_back(read_entry(name, value));
    }
  }
}

void Reader::read_metadata(const Json& value) {
  if (value.is_null()) return;
  if (!value.is_object()) refuse("__metadata__: expected an object of strings, found ", shown(value));
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) refuse("__metadata__: ", printable(key), ": expected a string, found ", shown(text));
    result_.metadata.emplace(key, text.get<std::string>());
  }
}

/// The member `key` of an entry; nullptr when there is none.
const Json* member(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found == entry.end() ? nullptr : &*found;
}

Entry Reader::read_entry(const std::string& name, const Json& value) const {
  if (!value.is_object()) refuse_tensor(name, "expected an object, found ", shown(value));
  const Json* const dtype = member(value, "dtype");
  const Json* const shape = member(value, "shape");
  const Json* const offsets = member(value, "data_offsets");
  if (!dtype || !shape || !offsets)
    refuse_tensor(name, "expected dtype, shape and data_offsets, found no ",
                  !dtype   ? "dtype"
                  : !shape ? "shape"
                           : "data_offsets");

  if (!dtype->is_string()) refuse_tensor(name, "dtype: expected a string, found ", shown(*dtype));
  const auto& code = dtype->get_ref<const std::string&>();
  const auto encoding =
      std::find_if(std::begin(kEncodings), std::end(kEncodings), [&](const Encoding& e) { return e.code == code; });
  if (encoding == std::end(kEncodings))
    refuse_tensor(name, "dtype: expected a type of the format (F32, F16, BF16, I64, ...), found ", shown(*dtype));

  const bool pair =
      offsets->is_array() && offsets->size() == 2 && (*offsets)[0].is_number_unsigned() && (*offsets)[1].is_number_unsigned();
  if (!pair)
    refuse_tensor(name, "data_offsets: expected two integers from 0 to 2^64 - 1, found ", printable(offsets->dump(), 60));

  Entry entry;
  entry.begin = (*offsets)[0].get<uint64_t>();
  entry.end = (*offsets)[1].get<uint64_t>();
  entry.tensor = {name, encoding->type, code, read_shape(name, *shape), {}, name_};
  if (entry.begin > entry.end)
    refuse_tensor(name, "data_offsets: expected begin <= end, found [", entry.begin, ", ", entry.end, "]");

  uint64_t bits = encoding->bits;
  bool fits = true;
  const std::vector<int64_t>& dims = entry.tensor.shape.dims();
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) bits = 0;  // whatever the other lengths would multiply to
  for (const int64_t d : dims) fits = fits && mul_ok(bits, static_cast<uint64_t>(d), &bits);
  if (!fits) refuse_tensor(name, "the size of shape ", entry.tensor.shape, " does not fit 64 bits");
  if (bits % 8 != 0)
    refuse_tensor(name, "shape ", entry.tensor.shape, " of ", code, " has ", bits, " bits, expected whole bytes");
  if (bits / 8 != entry.end - entry.begin)
    refuse_tensor(name, "shape ", entry.tensor.shape, " of ", code, " takes ", bits / 8, " bytes, its data_offsets hold ",
                  entry.end - entry.begin);
  return entry;
}

Shape Reader::read_shape(const std::string& name, const Json& value) const {
  if (!value.is_array()) refuse_tensor(name, "shape: expected a list, found ", shown(value));
  if (value.size() > kMaxRank) refuse_tensor(name, "shape: expected at most ", kMaxRank, " axes, found ", value.size());
  std::vector<int64_t> dims;
  for (const Json& d : value) {
    const bool length = d.is_number_unsigned() && d.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
    if (!length) refuse_tensor(name, "shape: expected integers from 0 to 2^63 - 1, found ", shown(d));
    dims.push_back(d.get<int64_t>());
  }
  return Shape(std::move(dims));
}

/// No gap, no overlap, no byte before, between or behind the tensors; only then does a tensor get its bytes.
void Reader::place(uint64_t data_begin) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);  // zero-size tensors before the one that begins there
  });
  uint64_t end = 0;
  for (const Entry& e : entries_) {
    if (e.begin != end)
      refuse_tensor(e.tensor.name, "begins at byte ", e.begin, " of the data, expected ", end,
                    e.begin > end ? ": a gap" : ": it overlaps another tensor");
    end = e.end;
  }
  uint64_t promised = 0;
  if (!add_ok(data_begin, end, &promised)) refuse("the size that its header promises does not fit 64 bits");
  if (promised != file_.size())
    refuse("the file has ", file_.size(), " bytes, its header promises ", promised,
           promised > file_.size() ? ": a truncated download" : ": something follows the tensors");

  result_.tensors.reserve(entries_.size());
  for (Entry& e : entries_) {
    e.tensor.bytes = file_.subspan(data_begin + e.begin, e.end - e.begin);
    result_.tensors.push_back(std::move(e.tensor));
  }
}

}  // namespace

Safetensors parse_safetensors(Bytes file, const std::string& path, uint64_t max_header_bytes) {
  return Reader(file, path, max_header_bytes).read();
}

}  // namespace vit
