// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/decode.h"

#include <cerrno>
#include <chrono>

#include "ops/core/error.h"
#include "tests/catch.h"
#include "tests/image/helpers.h"

namespace vit {
namespace {

using namespace std::string_literals;

TEST_CASE("what is no readable picture is refused by the name of what it is", "[image]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "the file is empty"},
      {"G", "found a file that begins with \"G\""},
      {"GIF89a\1\0\1\0"s, "found a GIF"},
      {"II*\0\x08\0\0\0"s, "found a TIFF"},
      {"MM\0*\0\0\0\x08"s, "found a TIFF"},
      {"II+\0\x08\0\0\0"s, "found a BigTIFF"},
      {"\0\0\0\x1c"s
       "ftypavif",
       "found an AVIF"},
      {"\0\0\0\x1c"s
       "ftypheic",
       "found a HEIF (HEIC)"},
      {"\0\0\0\x1c"s
       "ftypisom",
       "found a video"},
      {"\0\0\0\x0cJXL \r\n"s, "found a JPEG XL"},
      {"\0\0\0\x0cjP  \r\n"s, "found a JPEG 2000"},
      {"%PDF-1.7", "found a PDF"},
      {"8BPS\0\1"s, "found a Photoshop file"},
      {"\0\0\1\0\1\0\x10\x10"s, "found an icon"},
      {"<?xml version='1.0'?><svg width='1'/>", "found an SVG"},
      {"\xef\xbb\xbf\n<svg/>", "found an SVG"},
      {"<!doctype html><title>404", "found a web page or XML text"},
      {"PK\3\4"s, "found a zip archive"},
      {"version https://git-lfs.github.com/spec/v1\n", "found a Git-LFS pointer"},
      {"\x1b[2J\n\x9b!\xff", "found a file that begins with \"\\x1b[2J\\x0a"},
      {"P3\n1 1\n255\n1 2 3\n", "expected a binary PGM (P5) or PPM (P6), found P3"},
      {"P6\n1 1\n65535\n123456", "expected a PNM of 8 bits a sample (maximum 255), found maximum 65535"},
      {"P6\n1 -1\n255\n123", "damaged PNM: its header is not three numbers"},
      {"P6\n2 2\n255\n123", "truncated PNM"},
      {"RIFF\x40\0\0\0WEBPVP8 "s, "truncated WebP"},
      {"\xff\xd8\xff\xe0", "truncated JPEG"},
      {"\x89PNG\r\n\x1a\n", "truncated PNG"},
      {"BM\0\0"s, "truncated BMP"},
  };
  for (const auto& [file, sentence] : cases) {
    CAPTURE(sentence);
    const std::string found = refusal(bytes_of(file));
    CHECK(found.find("x: ") == 0);
    CHECK(found.find(sentence) != std::string::npos);
    for (const char c : found) CHECK((c >= ' ' && c <= '~'));
  }
}

TEST_CASE("an animated picture is refused by name, a single frame is not", "[image]") {
  const std::vector<uint8_t> still = plain_png(3, 2, 2, 9);
  for (const uint8_t frames : {1, 2}) {
    std::vector<uint8_t> png(still.begin(), still.begin() + 33);
    append_chunk(png, "acTL", std::vector<uint8_t>{0, 0, 0, frames, 0, 0, 0, 0});
    png.insert(png.end(), still.begin() + 33, still.end());
    CHECK(refusal(png) == (frames == 1 ? "" : "x: expected a single picture, found an animated PNG (APNG) of 2 frames"));
  }
  // The header of an extended WebP file with its animation flag, and nothing behind it.
  const std::string webp = "RIFF\x2a\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\0\0\0\0\0\0ANIM\x06\0\0\0\0\0\0\0\0\0"s;
  CHECK(refusal(bytes_of(webp)) == "x: expected a single picture, found an animated WebP");
}

TEST_CASE("a truncated file of every format is refused as such", "[image]") {
  for (const char* name : {"jpeg_420.jpg", "jpeg_444_progressive.jpg", "jpeg_cmyk.jpg", "png_rgb_16.png",
                           "png_interlaced_2_8.png", "webp_lossy.webp", "webp_alpha_lossless.webp", "bmp_rgb.bmp", "bmp_p.bmp",
                           "tga_rgb.tga", "tga_p_packed.tga", "pnm_rgb.ppm"}) {
    const std::vector<uint8_t> file = fixture(name);
    for (const size_t part : {3, 2}) {
      CAPTURE(name, part);
      CHECK(refusal(Bytes(file).first(file.size() - file.size() / part)).find("x: truncated ") == 0);
    }
  }
}

TEST_CASE("damaged files are refused", "[image]") {
  std::vector<uint8_t> png = fixture("png_rgb_8.png");
  png[png.size() / 2] ^= 1;
  CHECK(refusal(png).find("x: damaged PNG: ") == 0);

  std::vector<uint8_t> bmp = fixture("bmp_palette_4.bmp");
  bmp[10] = static_cast<uint8_t>(14 + 40 + 4 * 3);  // pixels start where the fourth colour stood
  CHECK(refusal(bmp).find("x: damaged BMP: a pixel names colour ") == 0);

  std::vector<uint8_t> jpeg = fixture("jpeg_420.jpg");
  jpeg[jpeg.size() - 40] = 0xff;  // in the pixels: libjpeg warns, Pillow and we decode on
  jpeg[jpeg.size() - 39] = 0xd3;
  CHECK(refusal(jpeg).empty());
}

TEST_CASE("a bomb is refused by its header, before any memory is taken", "[image]") {
  CHECK(refusal(png_header(60000, 60000)) == "x: expected at most 178956970 pixels, the header says 60000x60000");
  CHECK(refusal(png_header(2'000'000, 1)) == "x: expected sides of at most 1000000 pixels, the header says 2000000x1");
  CHECK(refusal(png_header(0, 5)).find("x: expected a picture of at least 1x1 pixels") == 0);
  CHECK(refusal(bytes_of("P6\n60000 60000\n255\n")).find("x: expected at most") == 0);
  std::vector<uint8_t> jpeg = fixture("jpeg_420.jpg");
  for (size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0) std::fill_n(jpeg.begin() + static_cast<std::ptrdiff_t>(i) + 5, 4, uint8_t{0xf0});
  CHECK(refusal(jpeg) == "x: expected at most 178956970 pixels, the header says 61680x61680");

  const std::vector<uint8_t> small = plain_png(20, 10, 0, 1);
  DecodeOptions options;
  options.max_pixels = 199;
  CHECK_THROWS_AS(decode_image(small, "x", options), Error);
  options.max_pixels = 200;
  CHECK(decode_image(small, "x", options).width == 20);
}

TEST_CASE("what follows the last row is not unpacked, however much it is", "[image]") {
  // One pixel, and a stream that goes on for 20 MB.
  CHECK(described(decode_image(fixture("png_long_stream.png"), "x")) == "1x1 ff41d912 000000");
}

TEST_CASE("scans without end are refused", "[image]") {
  const std::vector<uint8_t> jpeg = fixture("jpeg_444_progressive.jpg");
  size_t scan = 0;
  while (jpeg[scan] != 0xff || jpeg[scan + 1] != 0xda) ++scan;
  const size_t scan_bytes = 2 + size_t{jpeg[scan + 3]};
  std::vector<uint8_t> many(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(scan));
  for (int i = 0; i < 1100; ++i)
    many.insert(many.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(scan),
                jpeg.begin() + static_cast<std::ptrdiff_t>(scan + scan_bytes));
  CHECK(refusal(many).find("x: expected a JPEG of at most 1000 scans") == 0);
}

TEST_CASE("thin pictures decode", "[image]") {
  for (const auto& [width, height] : {std::pair{65500u, 1u}, std::pair{1u, 65500u}}) {
    const Pixels pixels = decode_image(plain_png(width, height, 2, 77), "x");
    CHECK(pixels.width == width);
    CHECK(pixels.height == height);
    CHECK(pixels.data[65500 * 3 - 1] == 77);
  }
}

TEST_CASE("reading an image fails in a sentence when the n-th call to the system fails", "[image]") {
  static FileSeam system;
  static int left;
  system = file_seam();
  const std::string path = fixture_path("png_rgb_8.png");
  struct Restore {
    ~Restore() { file_seam() = system; }
  } restore;
  const auto fails = [] { return --left == 0 && (errno = EIO); };
  static auto failing = fails;
  file_seam().open = [](const char* p, int flags, int mode) { return failing() ? -1 : system.open(p, flags, mode); };
  file_seam().read = [](int fd, void* to, size_t bytes) { return failing() ? int64_t{-1} : system.read(fd, to, bytes); };
  file_seam().stat = [](int fd, uint64_t* bytes, bool* regular, bool* directory) {
    return failing() ? -1 : system.stat(fd, bytes, regular, directory);
  };
  int failures = 0;
  for (left = 1; failures < 20; ++failures) {
    left = failures + 1;
    try {
      read_image(path);
      break;
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(path) == 0);
    }
  }
  CHECK(failures >= 3);
  CHECK(failures < 20);
}

}  // namespace
}  // namespace vit
