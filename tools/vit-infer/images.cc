// SPDX-License-Identifier: Apache-2.0
// classify and embed: a batch of images after the other; one that fails does not stop the rest.
#include <unistd.h>

#include <cmath>
#include <new>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/progress.h"
#include "tools/common/text.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/inputs.h"
#include "tools/vit-infer/labels.h"
#include "tools/vit-infer/taps.h"
#include "tools/vit-infer/writers.h"

namespace vit::tool {
namespace {

constexpr const char* kDemonstration =
    "no model was named, so the ten-label demonstration model inside this program answers (airplane to truck); "
    "-m DIR names another: a folder with config.json and model.safetensors";
constexpr size_t kLargestBatch = 1024;

struct Request {
  Task task;
  std::string format;
  size_t top_k, batch, max_errors;
  bool quiet;
  std::vector<std::string> labels = {};  ///< instead of the model's; empty: the model's
};

Request parse_request(const Arguments& arguments) {
  Request request;
  request.task = arguments.command == "embed" ? Task::kEmbed : Task::kClassify;
  request.format = arguments.text("format", "text");
  request.top_k = arguments.whole("top-k", 1, SIZE_MAX, 5);
  request.batch = arguments.whole("batch", 1, kLargestBatch, 1);
  request.max_errors = arguments.whole("max-errors", 1, SIZE_MAX, SIZE_MAX);
  if (arguments.text("on-error", "skip") == "stop") request.max_errors = 1;
  request.quiet = arguments.has("quiet");
  if (request.format == "npy" && arguments.text("output", "-") == "-" && isatty(STDOUT_FILENO))
    throw Failure(kUsage, "--format npy is no text for a terminal; -o FILE names a file");
  return request;
}

void tell_about_model(const Arguments& arguments, const Request& request, const vit_model_info& model, const Options& options) {
  if (request.quiet) return;
  if (!arguments.has("model") && request.format == "text") complain(kDemonstration);
  if (options.native)
    complain("--native: the model was trained at " + std::to_string(model.height) + "x" + std::to_string(model.width) +
             " pixels; for images of other sizes its positions are interpolated");
  const auto other = [&](size_t height, size_t width) { return options.height != height || options.width != width; };
  if (options.height != 0 && other(model.height, model.width) && other(model.input_height, model.input_width))
    complain("--size: the model was not trained at " + std::to_string(options.height) + "x" + std::to_string(options.width) +
             " pixels; its positions are interpolated");
}

/// An input on its way to its answer, or to the sentence that says why it has none.
struct Job {
  std::string path, sentence;
  Pixels pixels;
  Answer answer;
};

/// Runs `attempt`; answers the sentence of what it throws on account of an image. What would fail for any image is thrown on.
template <class Attempt>
std::string sentence_of(Attempt attempt) {
  try {
    attempt();
    return "";
  } catch (const Failure&) {
    throw;
  } catch (const vit::Error& error) {
    if (error.status() == VIT_ERROR_MODEL || error.status() == VIT_ERROR_UNSUPPORTED) throw;
    return error.what();
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

class Run {
 public:
  Run(const Arguments& arguments, const Request& request, Session& session, Taps& taps, Writer& writer)
      : request_(request),
        session_(session),
        taps_(taps),
        writer_(writer),
        progress_(!request.quiet && !(arguments.text("output", "-") == "-" && isatty(STDOUT_FILENO)) ? Progress::Shown::kYes
                                                                                                     : Progress::Shown::kNo) {
    if (Progress::is_possible()) progress_.expect(Inputs::count(arguments));
  }

  /// Until the inputs end, an interrupt comes or too many have failed.
  void all(Inputs& inputs) {
    while (!ended()) {
      std::vector<Job> jobs;
      for (Input input; jobs.size() < request_.batch && !ended() && inputs.next(input);) jobs.push_back(prepare(input));
      if (jobs.empty()) break;
      run(jobs);
      for (const Job& job : jobs)
        if (failed_ < request_.max_errors) write(job);
    }
    progress_.clear();
  }
  size_t done() const { return done_; }
  size_t failed() const { return failed_; }
  bool gave_up() const { return failed_ >= request_.max_errors; }

 private:
  bool ended() const { return interrupted() != 0 || gave_up(); }

  Job prepare(const Input& input) {
    Job job{input.path, input.refusal, {}, {}};
    if (job.sentence.empty()) job.sentence = sentence_of([&] { job.pixels = session_.preprocess(Image::path(job.path)); });
    return job;
  }

  /// All that could be read in one go; where that fails, each alone.
  void run(std::vector<Job>& jobs) {
    std::vector<Job*> ready;
    for (Job& job : jobs)
      if (job.sentence.empty()) ready.push_back(&job);
    // Nodes are tapped image by image: their values do not depend on the batch.
    const bool together = ready.size() > 1 && taps_.nodes().empty() && !taps_.wants_pixels();
    if (together && sentence_of([&] { answer(ready); }).empty()) return;
    for (Job* job : ready)
      job->sentence = sentence_of([&] {
        answer({job});
        taps_.collect(session_);
      });
  }

  void answer(const std::vector<Job*>& jobs) {
    std::vector<Image> images;
    for (const Job* job : jobs) images.push_back(Image::prepared(job->pixels));
    if (request_.task == Task::kClassify && request_.format != "npy") {
      std::vector<Classes> classes = session_.classify(images, request_.top_k);
      for (size_t i = 0; i < jobs.size(); ++i) {
        jobs[i]->answer.classes = std::move(classes[i]);
        if (request_.labels.empty()) continue;
        for (Class& one : jobs[i]->answer.classes) one.label = request_.labels[one.index];
      }
      return;
    }
    const Array values = session_.infer(images, request_.task == Task::kEmbed ? VIT_OUTPUT_EMBEDDING : VIT_OUTPUT_LOGITS);
    const auto width = static_cast<std::ptrdiff_t>(values.values.size() / jobs.size());
    for (size_t i = 0; i < jobs.size(); ++i) {
      const auto first = values.values.begin() + width * static_cast<std::ptrdiff_t>(i);
      jobs[i]->answer.values.assign(first, first + width);
      for (const float value : jobs[i]->answer.values)
        if (!std::isfinite(value)) throw std::runtime_error("the model's output for this image is not finite");
    }
  }

  void write(const Job& job) {
    if (job.sentence.empty()) {
      writer_.answer(job.path, job.answer);
    } else {
      const std::string name = job.path == "-" ? "standard input" : job.path;
      // The library begins with the path, where that is printable as it is; otherwise with its own rendering of it.
      const bool named = job.sentence.rfind(name, 0) == 0 || (job.pixels.values.empty() && visible(name) != name);
      const std::string sentence = named ? job.sentence : name + ": " + job.sentence;
      progress_.clear();
      complain(sentence);
      writer_.failure(job.path, sentence);
      ++failed_;
    }
    progress_.step(++done_, failed_);
  }

  const Request& request_;
  Session& session_;
  Taps& taps_;
  Writer& writer_;
  Progress progress_;
  size_t done_ = 0, failed_ = 0;
};

}  // namespace

int run_images(const Arguments& arguments) {
  Request request = parse_request(arguments);
  Options options = parse_session_options(arguments);
  Inputs inputs(arguments);
  Output output(arguments.text("output", "-"));
  Taps taps(arguments.texts("tap"), !arguments.has("tap") || inputs.is_one(), arguments.text("output", "-"));
  options.taps = taps.nodes();

  const Model model = open_model(arguments);
  const vit_model_info info = model.info();
  if (request.task == Task::kClassify && info.num_labels == 0)
    throw Failure(kUsage, arguments.text("model", "") + ": this model has no classifier; `vit-infer embed` gives its embeddings");
  if (arguments.has("labels")) request.labels = read_labels(arguments.text("labels", ""), info.num_labels);
  Session session = open_session(model, options);
  tell_about_precision(arguments, session);
  tell_about_model(arguments, request, info, options);

  const auto writer =
      make_writer(request.format, request.task, output, request.task == Task::kEmbed ? info.embed_dim : info.num_labels);
  remember_interrupts();
  Run run(arguments, request, session, taps, *writer);
  run.all(inputs);
  writer->finish();
  output.commit();
  taps.finish();
  if (interrupted() != 0) {
    complain("interrupted after " + std::to_string(run.done()) + " images; what was done is written");
    throw Interrupted{interrupted()};
  }
  if (run.gave_up() && !request.quiet)
    complain("stopped after " + std::to_string(run.failed()) + (run.failed() == 1 ? " failed input" : " failed inputs"));
  return run.failed() == 0 ? kDone : run.failed() == run.done() ? kAllFailed : kSomeFailed;
}

}  // namespace vit::tool
