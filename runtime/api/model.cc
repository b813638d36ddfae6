// SPDX-License-Identifier: Apache-2.0
// vit.h: version, errors, models.
#include "runtime/api/handles.h"
#include "runtime/io/printable.h"

namespace {

constexpr size_t kSentenceBytes = 1024;
// No std::string: keeping the sentence about missing memory must not need memory.
thread_local char t_sentence[kSentenceBytes] = "";

void keep(const char* text, size_t bytes) noexcept {
  if (bytes >= kSentenceBytes) {
    bytes = kSentenceBytes - 1;
    while (bytes > 0 && (text[bytes] & 0xC0) == 0x80) --bytes;  // whole UTF-8 characters
  }
  std::memcpy(t_sentence, text, bytes);
  t_sentence[bytes] = '\0';
}

vit::ModelOptions model_options(const vit_model_options* options) {
  const vit_model_options given = vit::known_fields(options, "vit_model_options");
  vit::ModelOptions out;
  if (given.max_header_bytes != 0) out.max_header_bytes = given.max_header_bytes;
  if (given.architecture != nullptr) out.architecture = given.architecture;
  return out;
}

/// Opens with `open` into *out, which is NULL on failure.
template <class Open>
vit_status open_model(vit_model** out, Open open) noexcept {
  if (out != nullptr) *out = nullptr;
  return vit::guarded([&] {
    vit::require(out, "out");
    auto handle = std::make_unique<vit_model>();
    handle->model = open();
    *out = handle.release();
  });
}

}  // namespace

namespace vit {

vit_status remember_error(vit_status status, const char* sentence) noexcept {
  try {
    const std::string clean = printable(sentence, kSentenceBytes - 8);
    keep(clean.data(), clean.size());
  } catch (...) {
    keep(sentence, std::strlen(sentence));
  }
  return status;
}

}  // namespace vit

const char* vit_version(void) { return VIT_VERSION; }

const char* vit_last_error(void) { return t_sentence; }

vit_status vit_model_open(const char* path, const vit_model_options* options, vit_model** out) {
  return open_model(out, [&] {
    vit::require(path, "path");
    return vit::Model::open(path, model_options(options));
  });
}

vit_status vit_model_open_memory(const char* name, const vit_file* files, size_t count, const vit_model_options* options,
                                 vit_model** out) {
  return open_model(out, [&] {
    vit::require(name, "name");
    if (count != 0) vit::require(files, "files");
    std::vector<vit::NamedBytes> named;
    for (const vit_file& file : std::span(files, count)) {
      vit::require(file.name, "vit_file.name");
      if (file.bytes != 0) vit::require(file.data, "vit_file.data");
      named.push_back({file.name, {static_cast<const uint8_t*>(file.data), file.bytes}});
    }
    return vit::Model::open(name, named, model_options(options));
  });
}

vit_status vit_model_untrained(const char* architecture, vit_model** out) {
  return open_model(out, [&] {
    vit::require(architecture, "architecture");
    return vit::Model::untrained(architecture);
  });
}

vit_status vit_model_untrained_sized(const char* architecture, size_t image_side, size_t patch_side, vit_model** out) {
  return open_model(out, [&] {
    vit::require(architecture, "architecture");
    constexpr size_t kLargestSide = 8192;
    VIT_CHECK(image_side <= kLargestSide && patch_side <= kLargestSide, vit::Code::kArgument,
              "image_side and patch_side: expected at most ", kLargestSide, ", found ", image_side, " and ", patch_side);
    return vit::Model::untrained(architecture, {static_cast<int64_t>(image_side), static_cast<int64_t>(patch_side)});
  });
}

void vit_model_free(vit_model* model) { delete model; }

vit_status vit_model_get_info(const vit_model* model, vit_model_info* info) {
  return vit::guarded([&] {
    vit::require(model, "model");
    vit::require(info, "info");
    const size_t size = vit::checked_struct_size(info->struct_size, "vit_model_info");
    const vit::ModelConfig& config = model->model->config();
    const vit::PixelSize input = model->model->recipe().fixed_size().value_or(vit::PixelSize{});
    const auto n = [](int64_t value) { return static_cast<size_t>(value); };
    const vit_model_info all = {size,
                                config.labels.size(),
                                n(config.embed_dim),
                                n(config.image_height),
                                n(config.image_width),
                                n(config.channels),
                                n(config.patch_height),
                                n(config.patch_width),
                                n(input.height),
                                n(input.width),
                                vit::api_precision(model->model->precision())};
    std::memcpy(info, &all, std::min(size, sizeof all));
  });
}

const char* vit_model_label(const vit_model* model, size_t index) {
  if (model == nullptr || index >= model->model->config().labels.size()) return nullptr;
  return model->model->config().labels[index].c_str();
}
