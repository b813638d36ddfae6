// SPDX-License-Identifier: Apache-2.0
// Models and pictures for tests of the C interface.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/api/vit.h"

namespace vit {

std::string demonstration_folder();
std::string sample_photo();
/// Bytes of a file.
std::string contents(const std::string& path);

struct FreeModel {
  void operator()(vit_model* model) const { vit_model_free(model); }
};
struct FreeSession {
  void operator()(vit_session* session) const { vit_session_free(session); }
};
using ModelHandle = std::unique_ptr<vit_model, FreeModel>;
using SessionHandle = std::unique_ptr<vit_session, FreeSession>;

ModelHandle open_demonstration();
SessionHandle make_session(const vit_model* model, const vit_session_options* options = nullptr);

/// model.safetensors of the demonstration model with every element of a float16 tensor set to these bits.
std::string weights_with(const std::string& tensor, uint16_t bits);
/// The demonstration model over such weights, which must outlive it.
ModelHandle open_with_weights(const std::string& weights);

/// RGB pixels without a pattern, [height, width, 3].
std::vector<uint8_t> picture(size_t width, size_t height, uint32_t seed);
/// The same as a file (binary PPM).
std::string ppm(const std::vector<uint8_t>& rgb, size_t width, size_t height);

}  // namespace vit
