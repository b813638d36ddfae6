// SPDX-License-Identifier: Apache-2.0
// check: models are loaded and images decoded, within all limits; nothing is run.
#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/inputs.h"

namespace vit::tool {
namespace {

bool is_weights(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") || name.ends_with(".vit");
}

/// What the layers of a .vit file were calibrated on, as a remark.
std::string calibrated(const Model& model) {
  const auto layers = nlohmann::json::parse(Session(model).describe(VIT_DESCRIBE_LAYERS));
  if (layers.empty() || !layers.front().contains("calibration_pictures")) return "";
  return "; calibrated on " + std::to_string(layers.front()["calibration_pictures"].get<int64_t>()) + " pictures";
}

/// The golden pass of a .vit file on each instruction set that this CPU has, as a remark. Throws Failure(kModel).
std::string verified(const Model& model) {
  std::string remark;
  const std::string words = kIsaWords;
  for (size_t at = 0, end; at < words.size(); at = end + 1) {
    end = std::min(words.find('|', at), words.size());
    const std::string isa = words.substr(at, end - at);
    try {
      const vit_verification found = model.verify(isa);
      char numbers[96];
      std::snprintf(numbers, sizeof numbers, ": float32 within %.1e, cosine %.6f", found.f32_difference, found.cosine);
      remark += "; " + isa + numbers;
    } catch (const vit::Error& error) {
      if (error.status() == VIT_ERROR_UNSUPPORTED) continue;
      throw Failure(kModel, std::string(error.what()) + " (" + isa + ")");
    }
  }
  return remark;
}

/// A file of weights, or a folder with weights or a configuration in it.
bool is_model(const std::string& path) {
  struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
  };
  const std::unique_ptr<DIR, CloseFolder> folder(opendir(path.c_str()));
  if (folder == nullptr) return is_weights(path);
  while (const dirent* entry = readdir(folder.get()))
    if (is_weights(entry->d_name) || std::strcmp(entry->d_name, "config.json") == 0) return true;
  return false;
}

class Check {
 public:
  Check(const Arguments& arguments, Output& output)
      : arguments_(arguments), output_(output), json_(arguments.text("format", "text") == "json") {
    Arguments images = arguments;
    images.options.erase("model");
    session_ = std::make_unique<Session>(open_session(open_model(images), parse_session_options(arguments)));
  }

  void model(const std::string& path) {
    Arguments one = arguments_;
    one.options["model"] = {path};
    std::string sentence, remark;
    try {
      const Model opened = open_model(one);
      const vit_model_info info = opened.info();
      open_session(opened, parse_session_options(arguments_));
      remark = std::to_string(info.num_labels) + " labels, " + std::to_string(info.embed_dim) + " channels, input " +
               std::to_string(info.height) + "x" + std::to_string(info.width);
      if (arguments_.has("verify")) remark += calibrated(opened) + verified(opened);
    } catch (const Failure& failure) {
      sentence = failure.what();
      model_refused_ = true;
    }
    tell(path, "model", sentence, remark);
  }

  void image(const Input& input) {
    std::string sentence = input.refusal;
    try {
      if (sentence.empty()) session_->preprocess(Image::path(input.path));
    } catch (const vit::Error& error) {
      sentence = error.what();
    } catch (const std::bad_alloc&) {
      sentence = input.path + ": out of memory";
    }
    tell(input.path, "image", sentence, "");
  }

  int finish() {
    if (json_) output_.write(done_ == 0 ? "[]\n" : "\n]\n");
    output_.commit();
    if (interrupted() != 0) throw Interrupted{interrupted()};
    if (model_refused_) return kModel;
    return failed_ == 0 ? kDone : failed_ == done_ ? kAllFailed : kSomeFailed;
  }

 private:
  void tell(const std::string& path, const std::string& kind, const std::string& sentence, const std::string& remark) {
    if (!sentence.empty()) complain(sentence);
    if (json_) {
      output_.write((done_ == 0 ? "[\n" : ",\n") + ("{\"path\": " + json_string(path)) + ", \"kind\": \"" + kind +
                    "\", \"ok\": " + (sentence.empty() ? "true}" : "false, \"error\": " + json_string(sentence) + "}"));
    } else if (sentence.empty()) {
      output_.write(visible(path) + ": ok, " + (remark.empty() ? "an image" : "a model: " + remark) + "\n");
    }
    output_.flush();
    ++done_;
    failed_ += !sentence.empty();
  }

  const Arguments& arguments_;
  Output& output_;
  bool json_, model_refused_ = false;
  std::unique_ptr<Session> session_;
  size_t done_ = 0, failed_ = 0;
};

}  // namespace

int run_check(const Arguments& arguments) {
  const bool lists = arguments.has("files-from") || arguments.has("files0-from");
  if (arguments.inputs.empty() && !lists) throw Failure(kUsage, "nothing to check was named; --help shows how");
  Output output(arguments.text("output", "-"));
  Check check(arguments, output);
  remember_interrupts();
  const auto images = [&](const Arguments& named) {
    Inputs inputs(named);
    for (Input input; interrupted() == 0 && inputs.next(input);) check.image(input);
  };
  for (const std::string& name : arguments.inputs) {
    if (interrupted() != 0) break;
    if (is_model(name)) {
      check.model(name);
      continue;
    }
    Arguments one = arguments;
    one.inputs = {name};
    one.options.erase("files-from");
    one.options.erase("files0-from");
    images(one);
  }
  if (lists && interrupted() == 0) {
    Arguments rest = arguments;
    rest.inputs.clear();
    images(rest);
  }
  return check.finish();
}

}  // namespace vit::tool
