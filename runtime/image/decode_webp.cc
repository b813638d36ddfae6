// SPDX-License-Identifier: Apache-2.0
// WebP by libwebp, with its defaults (triangle chroma upsampling), which are Pillow's.
#include <webp/decode.h>

#include "runtime/image/decoders.h"

namespace vit {
namespace {

[[noreturn]] void fail(VP8StatusCode status, const DecodeJob& job) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: fail_truncated(job, "WebP");
    case VP8_STATUS_OUT_OF_MEMORY: throw Error(Code::kMemory, str(job.name, ": not enough memory to decode this WebP"));
    case VP8_STATUS_UNSUPPORTED_FEATURE: fail_damaged(job, "WebP", "it uses a feature that libwebp does not know");
    default: fail_damaged(job, "WebP", "its bit stream is not valid");
  }
}

}  // namespace

Pixels decode_webp(const DecodeJob& job) {
  WebPDecoderConfig config;
  VIT_CHECK(WebPInitDecoderConfig(&config), Code::kUnsupported,
            "this build's libwebp has another interface than its headers say");
  if (const VP8StatusCode status = WebPGetFeatures(job.file.data(), job.file.size(), &config.input); status != VP8_STATUS_OK)
    fail(status, job);
  VIT_CHECK(!config.input.has_animation, Code::kImage, job.name, ": expected a single picture, found an animated WebP");

  Pixels pixels = allocate_pixels(job, static_cast<uint64_t>(config.input.width), static_cast<uint64_t>(config.input.height));
  config.output.colorspace = MODE_RGB;  // drops alpha, colours as stored
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels.data.data();
  config.output.u.RGBA.stride = static_cast<int>(pixels.width * 3);
  config.output.u.RGBA.size = static_cast<size_t>(pixels.data.size());
  const VP8StatusCode status = WebPDecode(job.file.data(), job.file.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) fail(status, job);
  return pixels;
}

}  // namespace vit
