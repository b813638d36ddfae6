// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/labels.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {

using Json = nlohmann::json;
constexpr size_t kLargestFile = 16 << 20;

std::string read_text(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) throw Failure(kUsage, "--labels: " + path + ": cannot be opened: " + std::strerror(errno));
  if (!S_ISREG(info.st_mode)) throw Failure(kUsage, "--labels: " + path + ": expected a file of labels, found no regular file");
  if (static_cast<uint64_t>(info.st_size) > kLargestFile)
    throw Failure(kUsage,
                  "--labels: " + path + ": expected at most 16 MiB, the file has " + std::to_string(info.st_size) + " bytes");
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<size_t>(info.st_size), '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(text.size())))
    throw Failure(kUsage, "--labels: " + path + ": cannot be read");
  return text;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> labels;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    labels.push_back(text.substr(at, end - at));
    if (labels.back().ends_with('\r')) labels.back().pop_back();
    at = end + 1;
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  return labels;
}

std::vector<std::string> json_labels(const std::string& path, const Json& json) {
  std::vector<std::string> labels;
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string key = std::to_string(i);
    if (json.is_object() && !json.contains(key))
      throw Failure(kUsage, "--labels: " + path + ": expected a label for each index, " + key + " is missing");
    const Json& label = json.is_object() ? json[key] : json[i];
    if (!label.is_string()) throw Failure(kUsage, "--labels: " + path + ": expected strings, label " + key + " is none");
    labels.push_back(label.get<std::string>());
  }
  return labels;
}

}  // namespace

std::vector<std::string> read_labels(const std::string& path, size_t count) {
  const std::string text = read_text(path);
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool structured = !json.is_discarded() && (json.is_array() || json.is_object());
  std::vector<std::string> labels = structured ? json_labels(path, json) : lines(text);
  if (labels.size() != count)
    throw Failure(kUsage, "--labels: " + path + ": expected " + std::to_string(count) +
                              " labels as the model has, the file has " + std::to_string(labels.size()));
  return labels;
}

void require_labels_of_pictures(const Arguments& arguments, const Session& session) {
  const vit_model_info info = session.model().info();
  if (session.output_shape(1, info.height, info.width, VIT_OUTPUT_LOGITS).size() == 3)
    throw Failure(kUsage, arguments.text("model", "") +
                              ": this model pools no tokens (its global_pool is ''), so that each token has labels and a picture "
                              "has none; `vit-infer run` writes the tokens' logits, `vit-infer embed` a vector for a picture");
}

}  // namespace vit::tool
