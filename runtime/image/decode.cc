// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/decode.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "ops/core/checked.h"
#include "runtime/image/decoders.h"
#include "runtime/image/orientation.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

using namespace std::string_view_literals;

struct Signature {
  size_t offset;
  std::string_view bytes;
  Pixels (*decode)(const DecodeJob&);  ///< nullptr: recognised, not read
  const char* meaning;
};

// Longer signatures before those that they begin with.
constexpr Signature kSignatures[] = {
    {0, "\xff\xd8\xff"sv, decode_jpeg, "JPEG"},
    {0, "\x89PNG\r\n\x1a\n"sv, decode_png, "PNG"},
    {8, "WEBP"sv, decode_webp, "WebP"},
    {0, "BM"sv, decode_bmp, "BMP"},
    {0, "GIF8"sv, nullptr, "a GIF"},
    {0, "II*\0"sv, nullptr, "a TIFF"},
    {0, "MM\0*"sv, nullptr, "a TIFF"},
    {0, "II+\0"sv, nullptr, "a BigTIFF"},
    {0, "MM\0+"sv, nullptr, "a BigTIFF"},
    {4, "ftypavif"sv, nullptr, "an AVIF"},
    {4, "ftypavis"sv, nullptr, "an animated AVIF"},
    {4, "ftyphei"sv, nullptr, "a HEIF (HEIC)"},
    {4, "ftyphev"sv, nullptr, "a HEIF (HEIC)"},
    {4, "ftypmif1"sv, nullptr, "a HEIF or AVIF"},
    {4, "ftypmsf1"sv, nullptr, "a HEIF or AVIF sequence"},
    {4, "ftyp"sv, nullptr, "a video (MP4 or QuickTime)"},
    {0, "\0\0\0\x0cjP  "sv, nullptr, "a JPEG 2000"},
    {0, "\xff\x4f\xff\x51"sv, nullptr, "a JPEG 2000 code stream"},
    {0, "\0\0\0\x0cJXL "sv, nullptr, "a JPEG XL"},
    {0, "\xff\x0a"sv, nullptr, "a JPEG XL code stream"},
    {0, "8BPS"sv, nullptr, "a Photoshop file"},
    {0, "%PDF"sv, nullptr, "a PDF"},
    {0, "%!PS"sv, nullptr, "a PostScript file"},
    {0, "\0\0\1\0"sv, nullptr, "an icon (ICO)"},
    {0, "\0\0\2\0"sv, nullptr, "a cursor (CUR)"},
    {0, "v/1\1"sv, nullptr, "an OpenEXR"},
    {0, "#?RADIANCE"sv, nullptr, "a Radiance HDR"},
    {0, "qoif"sv, nullptr, "a QOI"},
    {0, "DDS "sv, nullptr, "a DDS texture"},
    {0, "\x1a\x45\xdf\xa3"sv, nullptr, "a video (Matroska or WebM)"},
    {0, "\x93NUMPY"sv, nullptr, "a NumPy array"},
    {0, "PK\3\4"sv, nullptr, "a zip archive"},
    {0, "\x1f\x8b"sv, nullptr, "a gzip file"},
    {0, "version https://git-lfs"sv, nullptr, "a Git-LFS pointer (git lfs pull fetches the picture)"},
};

std::string_view head(Bytes file) { return {reinterpret_cast<const char*>(file.data()), std::min<size_t>(file.size(), 1024)}; }

/// What a file without a known signature looks like.
std::string describe(Bytes file) {
  std::string_view text = head(file);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const bool markup = text.starts_with("<");
  if (markup && text.find("<svg") != std::string_view::npos) return "an SVG";
  if (markup) return "a web page or XML text";
  return str("a file that begins with \"", printable(head(file).substr(0, 16), 64), '"');
}

bool is_pnm(Bytes file) {
  return file.size() >= 3 && file[0] == 'P' && ((file[1] >= '1' && file[1] <= '7') || file[1] == 'F' || file[1] == 'f') &&
         (file[2] == ' ' || (file[2] >= '\t' && file[2] <= '\r') || file[2] == '#');
}

Pixels decode_as_stored(const DecodeJob& job) {
  VIT_CHECK(!job.file.empty(), Code::kImage, job.name, ": expected an image, the file is empty");
  const std::string_view text = head(job.file);
  if (looks_like_tga(job.file))
    return decode_tga(job);  // first: its header may begin as a cursor's does, no other's as a whole TGA header
  std::string found;
  for (const Signature& s : kSignatures) {
    if (text.size() < s.offset || !text.substr(s.offset).starts_with(s.bytes)) continue;
    if (s.decode == decode_webp && !text.starts_with("RIFF")) continue;
    if (s.decode) return s.decode(job);
    found = s.meaning;
    break;
  }
  if (is_pnm(job.file)) return decode_pnm(job);
  throw Error(Code::kImage, str(job.name, ": expected a JPEG, PNG, WebP, BMP, PNM or TGA image, found ",
                                found.empty() ? describe(job.file) : found));
}

/// The libraries call a file damaged when memory runs out deep inside them; errno still knows.
Pixels decode_or_refuse(const DecodeJob& job) {
  errno = 0;
  try {
    return decode_as_stored(job);
  } catch (const Error& error) {
    VIT_CHECK(error.code() != Code::kImage || errno != ENOMEM, Code::kMemory, job.name, ": not enough memory to decode it");
    throw;
  }
}

}  // namespace

void check_size(const DecodeJob& job, uint64_t width, uint64_t height) {
  uint64_t count = 0, bytes = 0;
  VIT_CHECK(width > 0 && height > 0, Code::kImage, job.name, ": expected a picture of at least 1x1 pixels, found ", width, "x",
            height);
  VIT_CHECK(std::max(width, height) <= job.max_side, Code::kImage, job.name, ": expected sides of at most ", job.max_side,
            " pixels, the header says ", width, "x", height);
  VIT_CHECK(mul_ok(width, height, &count) && mul_ok(count, 3, &bytes) && bytes <= INT64_MAX && count <= job.max_pixels,
            Code::kImage, job.name, ": expected at most ", job.max_pixels, " pixels, the header says ", width, "x", height);
}

Pixels allocate_pixels(const DecodeJob& job, uint64_t width, uint64_t height) {
  check_size(job, width, height);
  return Pixels(static_cast<int64_t>(height), static_cast<int64_t>(width));
}

void fail_truncated(const DecodeJob& job, const char* format) {
  throw Error(Code::kImage, str(job.name, ": truncated ", format, ": the file ends after ", job.file.size(),
                                " bytes, before its picture does"));
}

void fail_damaged(const DecodeJob& job, const char* format, const std::string& why) {
  throw Error(Code::kImage, str(job.name, ": damaged ", format, ": ", why));
}

Pixels decode_image(Bytes file, const std::string& name, const DecodeOptions& options) {
  const int orientation = options.orientation == Orientation::kIgnore ? 1 : read_orientation(file);
  DecodeJob job{file, name, options.max_pixels, options.max_side};
  if (options.needed)
    job.needed = [&](PixelSize stored) {
      const auto turned = [&](PixelSize size) { return orientation > 4 ? PixelSize{size.width, size.height} : size; };
      return turned(options.needed(turned(stored)));
    };
  return apply_orientation(decode_or_refuse(job), orientation);
}

Pixels read_image(const std::string& path, const DecodeOptions& options) {
  const std::vector<uint8_t> file = read_file(path, options.max_file_bytes);
  return decode_image(file, path == "-" ? "standard input" : path, options);
}

}  // namespace vit
