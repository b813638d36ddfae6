// SPDX-License-Identifier: Apache-2.0
// Images in batches: decoded, run, told of in the order of the inputs. One that fails does not stop the rest.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/common/engine.h"
#include "tools/common/progress.h"
#include "tools/vit-infer/folder_walk.h"
#include "tools/vit-infer/instances.h"
#include "tools/vit-infer/writers.h"

namespace vit::tool {

/// An input on its way to its answer, or to the sentence that says why it has none.
struct Job {
  std::string path, sentence;
  Pixels pixels;
  Answer answer;
};

/// --batch, --on-error, --max-errors, --quiet.
struct ImageLimits {
  size_t batch, max_errors;
  bool quiet;
};
/// Throws Failure(kUsage).
ImageLimits parse_image_limits(const Arguments& arguments);

/// The remarks on a model that users of images should not miss.
void tell_about_model(const Arguments& arguments, const vit_model_info& model, const Options& options);

/// Reads and answers images with a session of its own; for one thread at a time.
class Answerer {
 public:
  explicit Answerer(Session session) : session_(std::move(session)) {}
  virtual ~Answerer() = default;
  /// Whether images must not share a run.
  virtual bool one_by_one() const { return false; }
  /// Fills the answers. What it throws on account of an image is that image's failure.
  virtual void answer(const std::vector<Job*>& jobs) = 0;
  Session& session() { return session_; }

 protected:
  static std::vector<Image> images_of(const std::vector<Job*>& jobs);

 private:
  Session session_;
};
using Answerers = std::vector<std::unique_ptr<Answerer>>;

/// For several instances, a session with all their threads that has packed the weights: as long as it is there, they share them.
std::optional<Session> pack_for_all(const Model& model, Options options, const Instances& instances);

/// What every command over images does with them; a command says how they are answered and written.
class ImageRun {
 public:
  ImageRun(const ImageLimits& limits, Answerers answerers, Progress::Shown shown);
  virtual ~ImageRun() = default;

  void expect(std::optional<size_t> images) { progress_.expect(images); }
  /// Until `next` has no other input, an interrupt comes or too many have failed.
  void all(const std::function<bool(Input&)>& next);
  /// To be called when the results are written. The exit code; throws Interrupted.
  int finish() const;

 protected:
  virtual void write(const Job& job) = 0;
  /// The sentence is on standard error already.
  virtual void write_failure(const std::string& path, const std::string& sentence) = 0;

 private:
  bool gave_up() const { return failed_ >= limits_.max_errors; }
  bool ended() const;
  void tell(const Job& job);

  const ImageLimits limits_;
  Answerers answerers_;
  Progress progress_;
  size_t done_ = 0;
  std::atomic<size_t> failed_ = 0;  ///< read by those that take images
};

}  // namespace vit::tool
