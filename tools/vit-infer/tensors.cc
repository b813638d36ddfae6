// SPDX-License-Identifier: Apache-2.0
// run: the model without images, for comparing numbers with other implementations.
#include <unistd.h>

#include <cmath>
#include <new>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/npy.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/taps.h"

namespace vit::tool {
namespace {

vit_output parse_want(const Arguments& arguments) {
  const std::string want = arguments.text("want", "logits");
  return want == "logits" ? VIT_OUTPUT_LOGITS : want == "features" ? VIT_OUTPUT_FEATURES : VIT_OUTPUT_EMBEDDING;
}

void check_input(const std::vector<size_t>& shape, const vit_model_info& model, const Size& size, const std::string& path) {
  if (shape.size() != 4 || shape[0] == 0 || shape[1] != model.channels || shape[2] < model.patch_height ||
      shape[3] < model.patch_width) {
    std::string text;
    for (const size_t axis : shape) text += (text.empty() ? "" : ", ") + std::to_string(axis);
    throw std::runtime_error(path + ": expected [B, " + std::to_string(model.channels) + ", H, W] with at least one patch of " +
                             std::to_string(model.patch_height) + " x " + std::to_string(model.patch_width) + ", the file has [" +
                             text + "]");
  }
  if (size.height != 0 && (size.height != shape[2] || size.width != shape[3]))
    throw Failure(kUsage, "--size " + std::to_string(size.height) + "x" + std::to_string(size.width) + ": the input has " +
                              std::to_string(shape[2]) + " x " + std::to_string(shape[3]) + " pixels, and `run` does not resize");
}

/// One image of the batch after the other: the numbers are those of the whole batch, the memory is that of one.
void run_batch(NpyReader& input, Session& session, vit_output want, NpyWriter& out, Taps& taps, const std::string& path) {
  const std::vector<size_t>& shape = input.shape();
  std::vector<float> image(shape[1] * shape[2] * shape[3]);
  for (size_t i = 0; i < shape[0] && interrupted() == 0; ++i) {
    input.read(image.data(), image.size());
    const Array result = session.run(image.data(), 1, shape[2], shape[3], want);
    for (const float value : result.values)
      if (!std::isfinite(value))
        throw std::runtime_error(path + ": the model's output for image " + std::to_string(i) + " is not finite");
    taps.collect(session);
    out.append(result.shape, result.values.data());
  }
}

}  // namespace

int run_tensors(const Arguments& arguments) {
  const vit_output want = parse_want(arguments);
  if (!arguments.has("input")) throw Failure(kUsage, "--input: its value is missing: a .npy file of float32 [B, C, H, W], or -");
  const std::string path = arguments.text("input", "-"), to = arguments.text("output", "-");
  if (to == "-" && isatty(STDOUT_FILENO)) throw Failure(kUsage, "a .npy file is no text for a terminal; -o FILE names a file");
  Options options = parse_session_options(arguments);
  const Size size = parse_size(arguments);
  Output output(to);
  Taps taps(arguments.texts("tap"), true, to);
  if (taps.wants_pixels()) throw Failure(kUsage, "--tap pixels: `run` has no 8-bit pixels, its input is float32");
  options.taps = taps.nodes();

  const Model model = open_model(arguments);
  const vit_model_info info = model.info();
  if (want == VIT_OUTPUT_LOGITS && info.num_labels == 0)
    throw Failure(kUsage, arguments.text("model", "") + ": this model has no classifier; --want features or --want embedding");
  Session session = open_session(model, options);
  tell_about_precision(arguments, session);
  NpyWriter writer(output, NpyType::kFloat32);
  remember_interrupts();
  try {
    NpyReader input(path);
    check_input(input.shape(), info, size, path);
    run_batch(input, session, want, writer, taps, path);
  } catch (const Failure&) {
    throw;
  } catch (const vit::Error& error) {
    if (error.status() == VIT_ERROR_MODEL || error.status() == VIT_ERROR_UNSUPPORTED) throw;
    throw Failure(kAllFailed, path + ": " + error.what());
  } catch (const std::bad_alloc&) {
    throw Failure(kAllFailed, path + ": out of memory");
  } catch (const std::runtime_error& error) {
    throw Failure(kAllFailed, error.what());
  }
  if (interrupted() != 0) throw Interrupted{interrupted()};  // half a batch is no result; `output` was a temporary file
  writer.finish();
  output.commit();
  taps.finish();
  return kDone;
}

}  // namespace vit::tool
