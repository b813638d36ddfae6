// SPDX-License-Identifier: Apache-2.0
// classify and embed: images one after the other; one that fails does not stop the rest.
#include <unistd.h>

#include <cmath>
#include <new>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/progress.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/taps.h"
#include "tools/vit-infer/writers.h"

namespace vit::tool {
namespace {

constexpr const char* kDemonstration =
    "no model was named, so the ten-label demonstration model inside this program answers (airplane to truck); "
    "-m DIR names another: a folder with config.json and model.safetensors";

struct Request {
  Task task;
  std::string format;
  size_t top_k;
};

Request parse_request(const Arguments& arguments) {
  Request request;
  request.task = arguments.command == "embed" ? Task::kEmbed : Task::kClassify;
  request.format = arguments.choice("format", {"text", "json", "jsonl", "csv", "npy"}, "text");
  request.top_k = arguments.whole("top-k", 1, SIZE_MAX, 5);
  if (arguments.inputs.empty()) throw Failure(kUsage, "no image was named; --help shows how");
  if (request.format == "npy" && arguments.text("output", "-") == "-" && isatty(STDOUT_FILENO))
    throw Failure(kUsage, "--format npy is no text for a terminal; -o FILE names a file");
  return request;
}

void tell_about_model(const Arguments& arguments, const Request& request, const vit_model_info& model, const Options& options) {
  if (!arguments.has("model") && request.format == "text") complain(kDemonstration);
  const auto other = [&](size_t height, size_t width) { return options.height != height || options.width != width; };
  if (options.height != 0 && other(model.height, model.width) && other(model.input_height, model.input_width))
    complain("--size: the model was not trained at " + std::to_string(options.height) + "x" + std::to_string(options.width) +
             " pixels; its positions are interpolated");
}

Answer answer(Session& session, const Image& image, const Request& request) {
  Answer out;
  if (request.task == Task::kClassify && request.format != "npy") {
    out.classes = session.classify(image, request.top_k);
    return out;
  }
  out.values = session.infer({image}, request.task == Task::kEmbed ? VIT_OUTPUT_EMBEDDING : VIT_OUTPUT_LOGITS).values;
  for (const float value : out.values)
    if (!std::isfinite(value)) throw std::runtime_error("the model's output for this image is not finite");
  return out;
}

/// Runs all inputs; answers how many failed.
size_t run_all(const Arguments& arguments, const Request& request, Session& session, Taps& taps, Writer& writer, size_t* done) {
  Progress progress(arguments.inputs.size());
  size_t failed = 0;
  for (const std::string& path : arguments.inputs) {
    if (interrupted() != 0) break;
    std::string sentence;
    Answer result;
    try {
      result = answer(session, Image::path(path), request);
      taps.collect(session);
    } catch (const Failure&) {
      throw;
    } catch (const vit::Error& error) {
      // Not this image's fault: the model or the options do not work, for any image.
      if (error.status() == VIT_ERROR_MODEL || error.status() == VIT_ERROR_UNSUPPORTED) throw;
      sentence = error.what();
    } catch (const std::bad_alloc&) {
      sentence = "out of memory";
    } catch (const std::runtime_error& error) {
      sentence = error.what();
    }
    if (sentence.empty()) {
      writer.answer(path, result);
    } else {
      const std::string name = path == "-" ? "standard input" : path;
      if (sentence.rfind(name, 0) != 0) sentence = name + ": " + sentence;
      progress.clear();
      complain(sentence);
      writer.failure(path, sentence);
      ++failed;
    }
    ++*done;
    progress.step();
  }
  return failed;
}

}  // namespace

int run_images(const Arguments& arguments) {
  const Request request = parse_request(arguments);
  Options options = parse_session_options(arguments);
  Output output(arguments.text("output", "-"));
  Taps taps(arguments.texts("tap"), arguments.inputs.size() == 1, arguments.text("output", "-"));
  options.taps = taps.nodes();

  const Model model = open_model(arguments);
  const vit_model_info info = model.info();
  if (request.task == Task::kClassify && info.num_labels == 0)
    throw Failure(kUsage, arguments.text("model", "") + ": this model has no classifier; `vit-infer embed` gives its embeddings");
  Session session = open_session(model, options);
  tell_about_model(arguments, request, info, options);

  const auto writer =
      make_writer(request.format, request.task, output, request.task == Task::kEmbed ? info.embed_dim : info.num_labels);
  remember_interrupts();
  size_t done = 0;
  const size_t failed = run_all(arguments, request, session, taps, *writer, &done);
  writer->finish();
  output.commit();
  taps.finish();
  if (interrupted() != 0) {
    complain("interrupted after " + std::to_string(done) + " of " + std::to_string(arguments.inputs.size()) + " images");
    throw Interrupted{interrupted()};
  }
  return failed == 0 ? kDone : failed == arguments.inputs.size() ? kAllFailed : kSomeFailed;
}

}  // namespace vit::tool
