// SPDX-License-Identifier: Apache-2.0
// JPEG by libjpeg-turbo, with the settings that it starts with: integer DCT, triangle chroma upsampling. Those are Pillow's.
#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

#include "runtime/image/decoders.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

/// A progressive file may hold any number of scans over the whole picture; each costs time and almost no bytes. Pictures in use
/// have about ten.
constexpr int kMaxScans = 1000;
constexpr uint64_t kMaxScannedPixels = uint64_t{4} << 30;  ///< scans x pixels: a few seconds at most

/// libjpeg's error manager is the first member, so that a pointer to it is a pointer to this.
struct Jpeg {
  jpeg_error_mgr errors;
  jpeg_source_mgr source;
  jpeg_progress_mgr progress;
  jpeg_decompress_struct info;
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  int error_code;
  bool too_many_scans;
};

enum class Outcome { kDone, kTruncated, kFailed };

Jpeg& self(j_common_ptr info) { return *reinterpret_cast<Jpeg*>(info->err); }

void on_error(j_common_ptr info) {
  Jpeg& jpeg = self(info);
  jpeg.errors.format_message(info, jpeg.message);
  jpeg.error_code = jpeg.errors.msg_code;
  std::longjmp(jpeg.escape, 1);
}

void on_message(j_common_ptr) {}  // warnings do not stop Pillow either
void do_nothing(j_decompress_ptr) {}
boolean out_of_data(j_decompress_ptr) { return FALSE; }  // "suspend": the caller sees it as the end of the file

void skip(j_decompress_ptr info, long bytes) {
  if (bytes <= 0) return;
  const size_t step = std::min(static_cast<size_t>(bytes), info->src->bytes_in_buffer);
  info->src->next_input_byte += step;
  info->src->bytes_in_buffer -= step;
}

void count_scans(j_common_ptr info) {
  Jpeg& jpeg = self(info);
  const uint64_t pixels = uint64_t{jpeg.info.image_width} * jpeg.info.image_height;
  const uint64_t scans = static_cast<uint64_t>(jpeg.info.input_scan_number);
  if (scans <= 16 || (scans <= kMaxScans && scans * pixels <= kMaxScannedPixels)) return;
  jpeg.too_many_scans = true;
  std::longjmp(jpeg.escape, 1);
}

void set_up(Jpeg& jpeg, Bytes file) {
  jpeg.info.err = jpeg_std_error(&jpeg.errors);
  jpeg.errors.error_exit = on_error;
  jpeg.errors.output_message = on_message;
  jpeg.source.next_input_byte = file.data();
  jpeg.source.bytes_in_buffer = file.size();
  jpeg.source.init_source = do_nothing;
  jpeg.source.fill_input_buffer = out_of_data;
  jpeg.source.skip_input_data = skip;
  jpeg.source.resync_to_restart = jpeg_resync_to_restart;
  jpeg.source.term_source = do_nothing;
  jpeg.progress.progress_monitor = count_scans;
}

// The functions with setjmp() hold nothing that has a destructor.

Outcome read_header(Jpeg& jpeg) {
  if (setjmp(jpeg.escape)) return Outcome::kFailed;
  jpeg_create_decompress(&jpeg.info);
  jpeg.info.src = &jpeg.source;
  jpeg.info.progress = &jpeg.progress;
  int status;
  do status = jpeg_read_header(&jpeg.info, FALSE);
  while (status == JPEG_HEADER_TABLES_ONLY);
  return status == JPEG_HEADER_OK ? Outcome::kDone : Outcome::kTruncated;
}

/// Has libjpeg decode 1 pixel of each `denominator` squared, by an inverse DCT of fewer frequencies, and tell the size of that.
Outcome scale_down(Jpeg& jpeg, unsigned denominator) {
  if (setjmp(jpeg.escape)) return Outcome::kFailed;
  jpeg.info.scale_num = 1;
  jpeg.info.scale_denom = denominator;
  jpeg_calc_output_dimensions(&jpeg.info);
  return Outcome::kDone;
}

/// rows: `height` rows of `row_bytes`; or one row that is handed to `finish` each time.
Outcome read_rows(Jpeg& jpeg, uint8_t* rows, size_t row_bytes, uint8_t* line, void (*finish)(const uint8_t*, uint8_t*, int64_t)) {
  if (setjmp(jpeg.escape)) return Outcome::kFailed;
  if (!jpeg_start_decompress(&jpeg.info)) return Outcome::kTruncated;
  while (jpeg.info.output_scanline < jpeg.info.output_height) {
    uint8_t* const row = rows + jpeg.info.output_scanline * row_bytes;
    JSAMPROW target = line ? line : row;
    if (jpeg_read_scanlines(&jpeg.info, &target, 1) != 1) return Outcome::kTruncated;
    finish(target, row, jpeg.info.output_width);
  }
  jpeg_finish_decompress(&jpeg.info);  // a missing end marker does not matter once all rows are there
  return Outcome::kDone;
}

/// The largest of 8, 4, 2 and 1 by which the picture may be divided.
unsigned denominator_for(const DecodeJob& job, PixelSize stored) {
  if (!job.needed) return 1;
  const PixelSize needed = job.needed(stored);
  unsigned denominator = 8;
  while (denominator > 1 && (stored.height < denominator * needed.height || stored.width < denominator * needed.width))
    denominator /= 2;
  return denominator;
}

void keep_rgb(const uint8_t*, uint8_t*, int64_t) {}
void spread_gray(const uint8_t*, uint8_t* row, int64_t width) { gray_to_rgb(row, width); }

/// JPEG stores CMYK inverted, whether or not the file says so: Pillow assumes it of all, and so does everything else.
void cmyk_to_rgb(const uint8_t* line, uint8_t* row, int64_t width) {
  for (int64_t x = 0; x < width; ++x) {
    const int light = line[4 * x + 3];  // 255 - K
    for (int c = 0; c < 3; ++c) {
      const int t = (255 - line[4 * x + c]) * light + 128;
      row[3 * x + c] = static_cast<uint8_t>(std::max(0, light - (((t >> 8) + t) >> 8)));
    }
  }
}

[[noreturn]] void fail(const Jpeg& jpeg, Outcome outcome, const DecodeJob& job) {
  if (outcome == Outcome::kTruncated) fail_truncated(job, "JPEG");
  VIT_CHECK(!jpeg.too_many_scans, Code::kImage, job.name, ": expected a JPEG of at most ", kMaxScans, " scans and ",
            kMaxScannedPixels, " pixels in all of them, found scan ", jpeg.info.input_scan_number, " of ", jpeg.info.image_width,
            "x", jpeg.info.image_height);
  VIT_CHECK(jpeg.error_code != JERR_OUT_OF_MEMORY, Code::kMemory, job.name, ": not enough memory to decode this JPEG");
  fail_damaged(job, "JPEG", printable(jpeg.message));
}

/// Releases what libjpeg holds.
struct Cleanup {
  Jpeg& jpeg;
  ~Cleanup() { jpeg_destroy_decompress(&jpeg.info); }
};

}  // namespace

Pixels decode_jpeg(const DecodeJob& job) {
  Jpeg jpeg{};
  set_up(jpeg, job.file);
  const Cleanup cleanup{jpeg};
  if (const Outcome outcome = read_header(jpeg); outcome != Outcome::kDone) fail(jpeg, outcome, job);

  const int components = jpeg.info.num_components;
  VIT_CHECK(components == 1 || components == 3 || components == 4, Code::kImage, job.name,
            ": expected a JPEG of 1, 3 or 4 components, found ", components);
  VIT_CHECK(jpeg.info.data_precision == 8, Code::kImage, job.name, ": expected a JPEG of 8 bits a sample, found ",
            jpeg.info.data_precision);
  check_size(job, jpeg.info.image_width, jpeg.info.image_height);
  jpeg.info.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  const unsigned denominator = denominator_for(job, {jpeg.info.image_height, jpeg.info.image_width});
  if (const Outcome outcome = scale_down(jpeg, denominator); outcome != Outcome::kDone) fail(jpeg, outcome, job);
  Pixels pixels(jpeg.info.output_height, jpeg.info.output_width);
  std::vector<uint8_t> line(components == 4 ? static_cast<size_t>(pixels.width) * 4 : 0);

  const auto finish = components == 1 ? spread_gray : components == 3 ? keep_rgb : cmyk_to_rgb;
  const Outcome outcome =
      read_rows(jpeg, pixels.data.data(), static_cast<size_t>(pixels.width) * 3, line.empty() ? nullptr : line.data(), finish);
  if (outcome != Outcome::kDone) fail(jpeg, outcome, job);
  return pixels;
}

}  // namespace vit
