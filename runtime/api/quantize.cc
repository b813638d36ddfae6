// SPDX-License-Identifier: Apache-2.0
// vit.h: .vit files.
#include "runtime/api/handles.h"
#include "runtime/golden.h"
#include "runtime/io/printable.h"
#include "runtime/quantise.h"

struct vit_quantized {
  vit::Buffer<uint8_t> file;
};

namespace {

using vit::Code;

/// "blocks.0.*=bf16"
vit::KeptLayers kept_layers(const std::string& text) {
  const size_t at = text.rfind('=');
  const std::string type = at == std::string::npos ? "" : text.substr(at + 1);
  for (const vit::Precision p : {vit::Precision::kF32, vit::Precision::kBF16, vit::Precision::kInt8})
    if (at != 0 && type == vit::precision_name(p)) return {text.substr(0, at), p};
  throw vit::Error(Code::kArgument,
                   vit::str("keep: expected PATTERN=bf16, PATTERN=f32 or PATTERN=int8, found '", vit::printable(text), "'"));
}

vit::QuantiseOptions quantise_options(const vit_quantize_options& given) {
  vit::QuantiseOptions out;
  VIT_CHECK(given.scheme >= VIT_SCHEME_INT8 && given.scheme <= VIT_SCHEME_F32, Code::kArgument, "scheme: unknown value ",
            static_cast<int>(given.scheme));
  out.scheme = static_cast<vit::Scheme>(given.scheme);
  if (given.isa != nullptr) out.isa = given.isa;
  VIT_CHECK(given.min_cosine >= 0 && given.min_cosine <= 1, Code::kArgument, "min_cosine: expected 0 to 1, found ",
            given.min_cosine);
  if (given.min_cosine != 0) out.min_cosine = given.min_cosine;
  if (given.keep_count != 0) vit::require(given.keep, "keep");
  for (size_t i = 0; i < given.keep_count; ++i) {
    vit::require(given.keep[i], "keep");
    out.keep.push_back(kept_layers(given.keep[i]));
  }
  if (given.progress != nullptr)
    out.progress = [given](size_t done, size_t total) {
      VIT_CHECK(given.progress(given.user, done, total) == 0, Code::kArgument, "stopped by the caller");
    };
  return out;
}

struct FreeSession {
  void operator()(vit_session* session) const { vit_session_free(session); }
};
using Reader = std::unique_ptr<vit_session, FreeSession>;

/// What reads pictures as inference does.
Reader open_reader(const vit_model* model, const vit_quantize_options& given) {
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.threads = 1, options.isa = given.isa;
  vit_session* session = nullptr;
  const vit_status status = vit_session_create(model, &options, &session);
  VIT_CHECK(status == VIT_OK, static_cast<Code>(status), vit_last_error());
  return Reader(session);
}

/// Of pictures, which `reader` reads when their turn comes.
void add_calibration(const vit_quantize_options& given, const vit_model* model, Reader& reader, vit::QuantiseOptions* out) {
  constexpr int kMostThreads = 1024;
  VIT_CHECK(given.threads >= 0 && given.threads <= kMostThreads, Code::kArgument, "threads: expected 0 to ", kMostThreads,
            ", found ", given.threads);
  out->threads = given.threads;
  if (given.calibration_count == 0) return;
  vit::require(given.calibration, "calibration");
  reader = open_reader(model, given);
  out->pictures = static_cast<int64_t>(given.calibration_count);
  out->picture = [given, session = reader.get()](int64_t index) {
    try {
      return std::move(vit::read_images(*session, {given.calibration + index, 1})[0]);
    } catch (const vit::Error& error) {
      throw vit::Error(error.code(), vit::str("calibration[", index, "]: ", error.what()));
    }
  };
}

}  // namespace

vit_status vit_quantize(const vit_model* model, const vit_quantize_options* options, vit_quantized** out) {
  if (out != nullptr) *out = nullptr;
  return vit::guarded([&] {
    vit::require(out, "out");
    vit::require(model, "model");
    const vit_quantize_options given = vit::known_fields(options, "vit_quantize_options");
    vit::QuantiseOptions engine = quantise_options(given);
    Reader reader;
    add_calibration(given, model, reader, &engine);
    *out = new vit_quantized{vit::quantise(model->model, engine)};
  });
}

const void* vit_quantized_data(const vit_quantized* file, size_t* bytes) {
  if (bytes != nullptr) *bytes = file == nullptr ? 0 : static_cast<size_t>(file->file.size());
  return file == nullptr ? nullptr : file->file.data();
}

void vit_quantized_free(vit_quantized* file) { delete file; }

vit_status vit_model_verify(const vit_model* model, const char* isa, vit_verification* out) {
  return vit::guarded([&] {
    vit::require(model, "model");
    vit::require(out, "out");
    const size_t size = vit::checked_struct_size(out->struct_size, "vit_verification");
    const vit::Verification found = vit::verify(model->model, isa == nullptr ? "" : isa);
    const vit_verification all = {size, found.f32_difference, found.f32_tolerance, found.cosine, found.min_cosine};
    std::memcpy(out, &all, std::min(size, sizeof all));
    VIT_CHECK(found.f32_difference <= found.f32_tolerance && found.cosine >= found.min_cosine, Code::kModel, model->model->path(),
              ": its golden pass: expected float32 outputs within ", found.f32_tolerance, " and a cosine of at least ",
              found.min_cosine, ", found ", found.f32_difference, " and ", found.cosine);
  });
}
