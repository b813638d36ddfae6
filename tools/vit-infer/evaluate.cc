// SPDX-License-Identifier: Apache-2.0
// evaluate: classify over folders named by label, in the precision asked for and in float32.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/text.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/image_run.h"
#include "tools/vit-infer/instances.h"
#include "tools/vit-infer/label_folders.h"
#include "tools/vit-infer/labels.h"
#include "tools/vit-infer/scores.h"

namespace vit::tool {
namespace {

std::vector<std::string> labels_of(const Arguments& arguments, const Model& model) {
  const size_t count = model.info().num_labels;
  if (count == 0)
    throw Failure(kUsage, arguments.text("model", "") + ": this model has no classifier that could be right or wrong");
  if (arguments.has("labels")) return read_labels(arguments.text("labels", ""), count);
  std::vector<std::string> labels;
  for (size_t i = 0; i < count; ++i) labels.push_back(model.label(i));
  return labels;
}

LabelFolders folders_of(const Arguments& arguments, const std::vector<std::string>& labels) {
  const auto unknown = arguments.has("skip-unknown") ? LabelFolders::Unknown::kPassedOver : LabelFolders::Unknown::kRefused;
  return LabelFolders(arguments.inputs[0], LabelNames(labels), unknown, arguments.has("recursive"));
}

std::vector<float> logits_of(const Classes& classes) {
  std::vector<float> logits(classes.size());
  for (const Class& one : classes) logits[one.index] = one.logit;
  return logits;
}

Score score_of(const Answer& answer, size_t truth) {
  Score score;
  const auto found =
      std::find_if(answer.classes.begin(), answer.classes.end(), [&](const Class& one) { return one.index == truth; });
  score.rank = static_cast<size_t>(found - answer.classes.begin()) + 1;
  if (answer.reference.empty()) return score;
  score.agrees = answer.classes[0].index == answer.reference[0].index;
  const std::vector<float> ours = logits_of(answer.classes), reference = logits_of(answer.reference);
  score.cosine = cosine(reference, ours);
  score.kl = kl_divergence(reference, ours);
  return score;
}

class EvaluationAnswerer : public Answerer {
 public:
  /// `reference` in float32; nothing: the session is that itself.
  EvaluationAnswerer(Session session, std::optional<Session> reference)
      : Answerer(std::move(session)), reference_(std::move(reference)) {}

 private:
  void answer(const std::vector<Job*>& jobs) override {
    const std::vector<Image> images = images_of(jobs);
    std::vector<Classes> classes = session().classify(images), reference(jobs.size());
    if (reference_) reference = reference_->classify(images);
    for (size_t i = 0; i < jobs.size(); ++i) jobs[i]->answer = {std::move(classes[i]), std::move(reference[i]), {}};
  }

  std::optional<Session> reference_;
};

class Evaluation : public ImageRun {
 public:
  Evaluation(const ImageLimits& limits, Answerers answerers, const std::vector<std::string>& labels, const LabelFolders& folders,
             Output* rows, Progress::Shown shown)
      : ImageRun(limits, std::move(answerers), shown), labels_(labels), folders_(folders), rows_(rows) {}

  const Totals& totals() const { return totals_; }
  size_t failed() const { return failed_; }

 private:
  void write(const Job& job) override {
    const size_t truth = folders_.label_of(job.path);
    const Score score = score_of(job.answer, truth);
    totals_.add(score);
    const Class& first = job.answer.classes[0];
    row(job.path, "\"label\": " + json_string(labels_[truth]) + ", \"predicted\": " + json_string(labels_[first.index]) +
                      ", \"rank\": " + std::to_string(score.rank) + ", \"probability\": " + number(first.probability) +
                      ", \"agree\": " + (score.agrees ? "true" : "false") + ", \"cosine\": " + number(score.cosine) +
                      ", \"kl\": " + number(score.kl));
  }
  void write_failure(const std::string& path, const std::string& sentence) override {
    ++failed_;
    row(path, "\"error\": " + json_string(sentence));
  }
  void row(const std::string& path, const std::string& rest) {
    if (rows_ == nullptr) return;
    rows_->write("{\"path\": " + json_string(path) + ", " + rest + "}\n");
    rows_->flush();
  }

  const std::vector<std::string>& labels_;
  const LabelFolders& folders_;
  Output* rows_;
  Totals totals_;
  size_t failed_ = 0;
};

/// Rates over the images; NAN where there are none.
struct Rates {
  explicit Rates(const Totals& totals) : count(static_cast<double>(totals.images)) {
    if (totals.images == 0) return;
    top1_interval = wilson_interval(totals.top1, totals.images), top5_interval = wilson_interval(totals.top5, totals.images);
  }
  double of(double sum) const { return count == 0 ? NAN : sum / count; }
  double of(size_t hits) const { return of(static_cast<double>(hits)); }
  double count;
  Interval top1_interval{NAN, NAN}, top5_interval{NAN, NAN};
};

std::string json_summary(const Totals& totals, size_t failed, const std::string& precision) {
  const Rates rates(totals);
  const auto pair = [](const Interval& one) { return "[" + number(one.low) + ", " + number(one.high) + "]"; };
  return "{\"images\": " + std::to_string(totals.images) + ", \"top1\": " + number(rates.of(totals.top1)) +
         ", \"top5\": " + number(rates.of(totals.top5)) + ", \"agreement\": " + number(rates.of(totals.agreeing)) +
         ", \"cosine\": " + number(rates.of(totals.cosine)) + ", \"kl\": " + number(rates.of(totals.kl)) +
         ", \"top1_interval\": " + pair(rates.top1_interval) + ", \"top5_interval\": " + pair(rates.top5_interval) +
         ", \"failed\": " + std::to_string(failed) + ", \"precision\": \"" + precision + "\"}\n";
}

std::string text_summary(const Totals& totals, size_t failed, const std::string& precision) {
  std::string text = "images      " + std::to_string(totals.images) +
                     (failed == 0 ? "" : ", " + std::to_string(failed) + " failed") + "\nprecision   " + precision +
                     (precision == "f32" ? ", the reference itself" : "") + "\n";
  if (totals.images == 0) return text;
  const Rates rates(totals);
  const auto line = [&](const char* format, auto... values) {
    char made[128];
    std::snprintf(made, sizeof made, format, values...);
    text += made;
  };
  const auto rate = [&](const char* name, size_t hits, const Interval& one) {
    line("%-10s %5.1f %%   (%.1f to %.1f %% with 95 %% confidence)\n", name, 100 * rates.of(hits), 100 * one.low, 100 * one.high);
  };
  rate("top-1", totals.top1, rates.top1_interval);
  rate("top-5", totals.top5, rates.top5_interval);
  if (precision == "f32") return text;
  line("agreement  %5.1f %%   first label the same as in f32\n", 100 * rates.of(totals.agreeing));
  line("cosine     %8.6f  of the logits with those in f32, mean\n", rates.of(totals.cosine));
  line("KL         %8.3g  nats from f32, mean\n", rates.of(totals.kl));
  return text;
}

}  // namespace

int run_evaluate(const Arguments& arguments) {
  const Model model = open_model(arguments);
  return evaluate(arguments, model, model);
}

void require_label_folders(const Arguments& arguments, const Model& model) { folders_of(arguments, labels_of(arguments, model)); }

int evaluate(const Arguments& arguments, const Model& model, const Model& exact_model) {
  if (arguments.inputs.size() != 1)
    throw Failure(kUsage, "evaluate: expected one folder, with a folder of images for each label in it, found " +
                              std::to_string(arguments.inputs.size()) + " names");
  const ImageLimits limits = parse_image_limits(arguments);
  const std::string format = arguments.text("format", "text"), to = arguments.text("output", "-");
  Options options = parse_session_options(arguments);
  Output output(to);

  const std::vector<std::string> labels = labels_of(arguments, model);
  LabelFolders folders = folders_of(arguments, labels);
  const std::string precision = precision_name(arguments, model);
  // Folders of labels hold many images.
  const Instances instances = choose_instances(arguments, limits.batch, vit_usable_cpus(), [](size_t) { return true; });
  options.threads = instances.threads;
  Options exact = options;
  exact.precision = VIT_PRECISION_F32;
  const bool compared = precision != "f32" || exact_model.c() != model.c();
  const std::optional<Session> packed = pack_for_all(model, options, instances),
                               exact_packed = compared ? pack_for_all(exact_model, exact, instances) : std::nullopt;
  Answerers answerers;
  for (size_t i = 0; i < instances.count; ++i)
    answerers.push_back(std::make_unique<EvaluationAnswerer>(
        open_session(model, options), compared ? std::optional(open_session(exact_model, exact)) : std::nullopt));
  require_labels_of_pictures(arguments, answerers[0]->session());
  tell_about_precision(arguments, answerers[0]->session());
  tell_about_model(arguments, model.info(), options);
  if (!folders.unknown().empty() && !limits.quiet)
    complain("passed over " + some_of(folders.unknown()) + ": no label of the model");

  const bool rows = format == "jsonl", among_rows = rows && to == "-" && isatty(STDOUT_FILENO);
  remember_interrupts();
  Evaluation run(limits, std::move(answerers), labels, folders, rows ? &output : nullptr,
                 among_rows ? Progress::Shown::kNo : Progress::Shown::kYes);
  if (Progress::is_possible()) run.expect(folders.count());
  run.all([&](Input& input) { return folders.next(input); });
  if (!rows) output.write((format == "json" ? json_summary : text_summary)(run.totals(), run.failed(), precision));
  output.commit();
  return run.finish();
}

}  // namespace vit::tool
