// SPDX-License-Identifier: Apache-2.0
#include "tests/api/models.h"

#include <cstring>
#include <fstream>

#include "runtime/io/json.h"
#include "tests/catch.h"

namespace vit {

std::string demonstration_folder() { return VIT_SOURCE_DIR "/assets/models/vit-cifar10"; }
std::string sample_photo() { return VIT_SOURCE_DIR "/assets/images/chelsea.png"; }

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ModelHandle open_demonstration() {
  vit_model* model = nullptr;
  INFO(vit_last_error());
  REQUIRE(vit_model_open(demonstration_folder().c_str(), nullptr, &model) == VIT_OK);
  return ModelHandle(model);
}

SessionHandle make_session(const vit_model* model, const vit_session_options* options) {
  vit_session* session = nullptr;
  const vit_status status = vit_session_create(model, options, &session);
  INFO(vit_last_error());
  REQUIRE(status == VIT_OK);
  return SessionHandle(session);
}

std::string weights_with(const std::string& tensor, uint16_t bits) {
  std::string file = contents(demonstration_folder() + "/model.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  const auto json = nlohmann::json::parse(file.substr(8, header));
  const auto offsets = json.at(tensor).at("data_offsets").get<std::vector<size_t>>();
  for (size_t at = offsets[0]; at < offsets[1]; at += 2) std::memcpy(file.data() + 8 + header + at, &bits, sizeof bits);
  return file;
}

ModelHandle open_with_weights(const std::string& weights) {
  static const std::string config = contents(demonstration_folder() + "/config.json");
  const vit_file files[] = {{"config.json", config.data(), config.size()}, {"model.safetensors", weights.data(), weights.size()}};
  vit_model* model = nullptr;
  const vit_status status = vit_model_open_memory("changed", files, 2, nullptr, &model);
  INFO(vit_last_error());
  REQUIRE(status == VIT_OK);
  return ModelHandle(model);
}

std::vector<uint8_t> picture(size_t width, size_t height, uint32_t seed) {
  std::vector<uint8_t> rgb(width * height * 3);
  for (uint8_t& value : rgb) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<uint8_t>(seed >> 24);
  }
  return rgb;
}

std::string ppm(const std::vector<uint8_t>& rgb, size_t width, size_t height) {
  return "P6\n" + std::to_string(width) + " " + std::to_string(height) + "\n255\n" + std::string(rgb.begin(), rgb.end());
}

}  // namespace vit
