// SPDX-License-Identifier: Apache-2.0
// classify and embed.
#include <unistd.h>

#include <cmath>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/image_run.h"
#include "tools/vit-infer/inputs.h"
#include "tools/vit-infer/instances.h"
#include "tools/vit-infer/labels.h"
#include "tools/vit-infer/taps.h"
#include "tools/vit-infer/writers.h"

namespace vit::tool {
namespace {

struct Request {
  Task task;
  std::string format;
  size_t top_k;
  std::vector<std::string> labels = {};  ///< instead of the model's; empty: the model's
};

Request parse_request(const Arguments& arguments) {
  Request request;
  request.task = arguments.command == "embed" ? Task::kEmbed : Task::kClassify;
  request.format = arguments.text("format", "text");
  request.top_k = arguments.whole("top-k", 1, SIZE_MAX, 5);
  if (request.format == "npy" && arguments.text("output", "-") == "-" && isatty(STDOUT_FILENO))
    throw Failure(kUsage, "--format npy is no text for a terminal; -o FILE names a file");
  return request;
}

Progress::Shown shown_beside_results(const Arguments& arguments) {
  return arguments.text("output", "-") == "-" && isatty(STDOUT_FILENO) ? Progress::Shown::kNo : Progress::Shown::kYes;
}

class ImageAnswerer : public Answerer {
 public:
  ImageAnswerer(Session session, const Request& request, Taps& taps)
      : Answerer(std::move(session)), request_(request), taps_(taps) {}

 private:
  // Nodes are tapped image by image: their values do not depend on the batch.
  bool one_by_one() const override { return taps_.wants_any(); }

  void answer(const std::vector<Job*>& jobs) override {
    if (request_.task == Task::kClassify && request_.format != "npy")
      classify(jobs);
    else
      infer(jobs);
    if (taps_.wants_any()) taps_.collect(session());
  }

  void classify(const std::vector<Job*>& jobs) {
    std::vector<Classes> classes = session().classify(images_of(jobs), request_.top_k);
    for (size_t i = 0; i < jobs.size(); ++i) {
      jobs[i]->answer.classes = std::move(classes[i]);
      if (request_.labels.empty()) continue;
      for (Class& one : jobs[i]->answer.classes) one.label = request_.labels[one.index];
    }
  }

  void infer(const std::vector<Job*>& jobs) {
    const Array values =
        session().infer(images_of(jobs), request_.task == Task::kEmbed ? VIT_OUTPUT_EMBEDDING : VIT_OUTPUT_LOGITS);
    const auto width = static_cast<std::ptrdiff_t>(values.values.size() / jobs.size());
    for (size_t i = 0; i < jobs.size(); ++i) {
      const auto first = values.values.begin() + width * static_cast<std::ptrdiff_t>(i);
      jobs[i]->answer.values.assign(first, first + width);
      for (const float value : jobs[i]->answer.values)
        if (!std::isfinite(value)) throw std::runtime_error("the model's output for this image is not finite");
    }
  }

  const Request& request_;
  Taps& taps_;
};

class Run : public ImageRun {
 public:
  Run(const Arguments& arguments, const ImageLimits& limits, Answerers answerers, Writer& writer)
      : ImageRun(limits, std::move(answerers), shown_beside_results(arguments)), writer_(writer) {
    if (Progress::is_possible()) expect(Inputs::count(arguments));
  }

 private:
  void write(const Job& job) override { writer_.answer(job.path, job.answer); }
  void write_failure(const std::string& path, const std::string& sentence) override { writer_.failure(path, sentence); }

  Writer& writer_;
};

}  // namespace

int run_images(const Arguments& arguments) {
  Request request = parse_request(arguments);
  const ImageLimits limits = parse_image_limits(arguments);
  Options options = parse_session_options(arguments);
  Inputs inputs(arguments);
  Output output(arguments.text("output", "-"));
  Taps taps(arguments.texts("tap"), !arguments.has("tap") || !inputs.at_least(2), arguments.text("output", "-"));
  options.taps = taps.nodes();

  const Model model = open_model(arguments);
  const vit_model_info info = model.info();
  if (request.task == Task::kClassify && info.num_labels == 0)
    throw Failure(kUsage, arguments.text("model", "") + ": this model has no classifier; `vit-infer embed` gives its embeddings");
  if (arguments.has("labels")) request.labels = read_labels(arguments.text("labels", ""), info.num_labels);
  const Instances instances = choose_instances(arguments, limits.batch, vit_usable_cpus(),
                                               [&](size_t n) { return !taps.wants_any() && inputs.at_least(n); });
  options.threads = instances.threads;
  const std::optional<Session> packed = pack_for_all(model, options, instances);
  Answerers answerers;
  for (size_t i = 0; i < instances.count; ++i)
    answerers.push_back(std::make_unique<ImageAnswerer>(open_session(model, options), request, taps));
  if (request.task == Task::kClassify) require_labels_of_pictures(arguments, answerers[0]->session());
  tell_about_precision(arguments, answerers[0]->session());
  tell_about_model(arguments, info, options);

  const vit_output wanted = request.task == Task::kEmbed ? VIT_OUTPUT_EMBEDDING : VIT_OUTPUT_LOGITS;
  const size_t width = answerers[0]->session().output_shape(1, info.height, info.width, wanted).back();
  const auto writer = make_writer(request.format, request.task, output, width);
  remember_interrupts();
  Run run(arguments, limits, std::move(answerers), *writer);
  run.all([&](Input& input) { return inputs.next(input); });
  writer->finish();
  output.commit();
  taps.finish();
  return run.finish();
}

}  // namespace vit::tool
