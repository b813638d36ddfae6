// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/image_run.h"

#include <algorithm>
#include <new>
#include <utility>

#include "tools/common/failure.h"
#include "tools/common/in_order.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-infer/memory_nodes.h"
#include "tools/vit-infer/path_list.h"

namespace vit::tool {
namespace {

constexpr const char* kDemonstration =
    "no model was named, so the ten-label demonstration model inside this program answers (airplane to truck); "
    "-m DIR names another: a folder with config.json and model.safetensors";
constexpr size_t kLargestBatch = 1024;

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

void prepare(Answerer& answerer, Job& job) {
  if (job.sentence.empty())
    job.sentence = sentence_of([&] { job.pixels = answerer.session().preprocess(Image::path(job.path)); });
}

/// All that could be read in one go; where that fails, each alone.
void run(Answerer& answerer, std::vector<Job>& jobs) {
  std::vector<Job*> ready;
  for (Job& job : jobs)
    if (job.sentence.empty()) ready.push_back(&job);
  if (ready.size() > 1 && !answerer.one_by_one() && sentence_of([&] { answerer.answer(ready); }).empty()) return;
  for (Job* job : ready) job->sentence = sentence_of([&] { answerer.answer({job}); });
}

}  // namespace

ImageLimits parse_image_limits(const Arguments& arguments) {
  ImageLimits limits;
  limits.batch = arguments.whole("batch", 1, kLargestBatch, 1);
  limits.max_errors = arguments.whole("max-errors", 1, SIZE_MAX, SIZE_MAX);
  if (arguments.text("on-error", "skip") == "stop") limits.max_errors = 1;
  limits.quiet = arguments.has("quiet");
  return limits;
}

void tell_about_model(const Arguments& arguments, const vit_model_info& model, const Options& options) {
  if (arguments.has("quiet")) return;
  if (!arguments.has("model") && arguments.text("format", "text") == "text") complain(kDemonstration);
  if (options.native)
    complain("--native: the model was trained at " + std::to_string(model.height) + "x" + std::to_string(model.width) +
             " pixels; for images of other sizes its positions are interpolated");
  const auto other = [&](size_t height, size_t width) { return options.height != height || options.width != width; };
  if (options.height != 0 && other(model.height, model.width) && other(model.input_height, model.input_width))
    complain("--size: the model was not trained at " + std::to_string(options.height) + "x" + std::to_string(options.width) +
             " pixels; its positions are interpolated");
}

std::optional<Session> pack_for_all(const Model& model, Options options, const Instances& instances) {
  if (instances.count == 1) return std::nullopt;
  options.threads = static_cast<int>(instances.count) * instances.threads;
  Session session = open_session(model, options);
  session.describe(VIT_DESCRIBE_PLAN);
  return session;
}

ImageRun::ImageRun(const ImageLimits& limits, Answerers answerers, Progress::Shown shown)
    : limits_(limits), answerers_(std::move(answerers)), progress_(limits.quiet ? Progress::Shown::kNo : shown) {}

void ImageRun::all(const std::function<bool(Input&)>& next) {
  const auto take = [&]() -> std::optional<std::vector<Job>> {
    std::vector<Job> jobs;
    for (Input input; jobs.size() < limits_.batch && !ended() && next(input);)
      jobs.push_back({input.path, input.refusal, {}, {}});
    if (jobs.empty()) return std::nullopt;
    return jobs;
  };
  const std::vector<std::vector<int>> nodes = memory_nodes(own_cpus());
  std::vector<char> settled(answerers_.size(), nodes.size() == 1 || answerers_.size() == 1);
  const auto work = [&](size_t i, std::vector<Job>& jobs) {
    if (!std::exchange(settled[i], true)) stay_on(nodes[i % nodes.size()]);
    for (Job& job : jobs) prepare(*answerers_[i], job);
    run(*answerers_[i], jobs);
  };
  const auto tell_all = [&](const std::vector<Job>& jobs) {
    for (const Job& job : jobs)
      if (!gave_up()) tell(job);
    if (gave_up()) stop_lists();
    return !gave_up();
  };
  if (answerers_.size() == 1) {
    for (auto jobs = take(); jobs; jobs = take()) {
      work(0, *jobs);
      tell_all(*jobs);
    }
  } else {
    in_order(answerers_.size(), 2 * answerers_.size(), take, work, tell_all);
  }
  progress_.clear();
}

int ImageRun::finish() const {
  if (interrupted() != 0) {
    complain("interrupted after " + std::to_string(done_) + " images; what was done is written");
    throw Interrupted{interrupted()};
  }
  if (gave_up() && !limits_.quiet)
    complain("stopped after " + std::to_string(failed_) + (failed_ == 1 ? " failed input" : " failed inputs"));
  return failed_ == 0 ? kDone : failed_ == done_ ? kAllFailed : kSomeFailed;
}

std::vector<Image> Answerer::images_of(const std::vector<Job*>& jobs) {
  std::vector<Image> images;
  for (const Job* job : jobs) images.push_back(Image::prepared(job->pixels));
  return images;
}

bool ImageRun::ended() const { return interrupted() != 0 || gave_up(); }

void ImageRun::tell(const Job& job) {
  if (job.sentence.empty()) {
    write(job);
  } else {
    const std::string name = job.path == "-" ? "standard input" : job.path;
    // The library begins with the path, where that is printable as it is; otherwise with its own rendering of it.
    const bool named = job.sentence.rfind(name, 0) == 0 || (job.pixels.values.empty() && visible(name) != name);
    const std::string sentence = named ? job.sentence : name + ": " + job.sentence;
    progress_.clear();
    complain(sentence);
    write_failure(job.path, sentence);
    ++failed_;
  }
  progress_.step(++done_, failed_);
}

}  // namespace vit::tool
