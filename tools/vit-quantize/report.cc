// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-quantize/report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

namespace vit::tool {
namespace {

using Json = nlohmann::ordered_json;

/// "0.99987  41.2 dB", or blanks where this CPU could not measure it.
std::string nearness(const Json& layer, const char* key) {
  char text[32] = "       -        ";
  if (const auto found = layer.find(key); found != layer.end())
    std::snprintf(text, sizeof text, "%8.6f %5.1f dB", found->at("cosine").get<double>(), found->at("snr_db").get<double>());
  return text;
}

std::string remark(const Json& layer) {
  if (layer.contains("kept")) return "kept: " + layer["kept"].get<std::string>();
  if (!layer.contains("moved_channels")) return "";
  const std::string count = std::to_string(layer["moved_channels"].get<int64_t>());
  if (!layer.contains("alpha")) return count + " outlier channels moved into the weights";
  char text[64];
  std::snprintf(text, sizeof text, " channels smoothed, alpha %.2f", layer["alpha"].get<double>());
  return count + text;
}

}  // namespace

std::string layers_table(const std::string& layers_json) {
  const Json layers = Json::parse(layers_json);
  size_t widest = 5;
  bool measured = false;
  for (const auto& [name, layer] : layers.items()) {
    widest = std::max(widest, name.size());
    measured = measured || layer.contains("with_8_bits") || layer.contains("with_7_bits");
  }
  const auto padded = [&](std::string text) {
    text.resize(std::max(text.size(), widest), ' ');
    return text;
  };
  std::string text = padded("layer") + "  type" + (measured ? "  8-bit activations  7-bit (AVX2)       " : "") + "\n";
  for (const auto& [name, layer] : layers.items()) {
    std::string line = padded(name) + "  " + layer["precision"].get<std::string>();
    if (measured) {
      line.resize(widest + 8, ' ');
      line += nearness(layer, "with_8_bits") + "   " + nearness(layer, "with_7_bits") + "   " + remark(layer);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string layers_summary(const std::string& layers_json) {
  const Json layers = Json::parse(layers_json);
  std::map<std::string, size_t> count;
  for (const auto& [name, layer] : layers.items()) ++count[layer["precision"].get<std::string>()];
  std::string text;
  for (const char* type : {"int8", "bf16", "f32"})
    if (count[type] != 0) text += (text.empty() ? "" : ", ") + std::to_string(count[type]) + " layers in " + type;
  if (!layers.empty() && layers.front().contains("calibration_pictures"))
    text += ", calibrated on " + std::to_string(layers.front()["calibration_pictures"].get<int64_t>()) + " pictures";
  return text;
}

}  // namespace vit::tool
