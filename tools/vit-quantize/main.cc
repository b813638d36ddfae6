// SPDX-License-Identifier: Apache-2.0
// vit-quantize: a model in, a .vit file out.
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/progress.h"
#include "tools/common/text.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-quantize/calibration.h"
#include "tools/vit-quantize/report.h"

namespace vit::tool {
namespace {

constexpr CommandSpec kCommands[] = {{"quantize", "IN OUT.vit", ""}};

constexpr OptionSpec kOptions[] = {
    {"--scheme", "int8|bf16|f16|f32", "What linear layers are stored in; f16 is computed in f32 [int8]", 1},
    {"--keep", "PATTERN=TYPE", "With int8: layers whose names match, as blocks.0.*, stay in TYPE, bf16 or f32", 1, kRepeated},
    {"--min-cosine", "X", "With int8: layers whose results come less near to float32's stay in bf16 or f32 [0.998]", 1},
    {"--calibrate", "FOLDER", "With int8: try layers on 32 pictures of this folder, and smooth LayerNorms where it helps", 1,
     kPerRun},
    {"--evaluate", "FOLDER", "Then compare the file with IN in float32 on images in folders named by label", 1, kPerRun},
    {"--report", "FILE", "Write what is known of each layer as JSON", 1, kPerRun},
    {"--arch", "NAME", "timm's name of the model, for a safetensors file alone, as vit_small_patch16_224 [config.json says it]",
     1},
    {"--isa", kIsaWords, "Instruction set whose layout the file has; it runs on all [the best of this CPU]", 1},
    {"--threads", "N", "Threads of --calibrate and --evaluate; 0 is the cores that this process may use [0]", 1},
    {"-q,--quiet", "", "No table, no progress and no remarks", 1},
    {"--max-header", "BYTES", "Largest header of a safetensors file [16777216]", 1},
};

const ProgramSpec& vit_quantize_program() {
  static const ProgramSpec program{
      "vit-quantize", "vit-quantize: from a model to one .vit file, which is smaller, and ready to run where it is mapped.",
      kCommands, kOptions};
  return program;
}

QuantizeOptions parse_quantize_options(const Arguments& arguments) {
  QuantizeOptions options;
  const std::string scheme = arguments.text("scheme", "int8");
  options.scheme = scheme == "bf16"  ? VIT_SCHEME_BF16
                   : scheme == "f16" ? VIT_SCHEME_F16
                   : scheme == "f32" ? VIT_SCHEME_F32
                                     : VIT_SCHEME_INT8;
  options.isa = arguments.named("isa") == "VIT_ISA" ? "" : arguments.text("isa", "");
  options.keep = arguments.texts("keep");
  if (arguments.has("min-cosine")) {
    const std::string text = arguments.text("min-cosine", "");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.min_cosine);
    if (error != std::errc() || end != text.data() + text.size() || !(options.min_cosine > 0 && options.min_cosine <= 1))
      throw Failure(kUsage, arguments.named("min-cosine") + ": expected a number above 0 and up to 1, found '" + text + "'");
  }
  return options;
}

Quantized quantize(const Model& model, QuantizeOptions options, bool quiet) {
  Progress progress(quiet ? Progress::Shown::kNo : Progress::Shown::kYes, options.calibration.empty() ? "layers" : "steps");
  options.progress = [&](size_t done, size_t total) {
    progress.expect(total);
    progress.step(done, 0);
    return interrupted() == 0;
  };
  try {
    return model.quantize(options);
  } catch (const vit::Error& error) {
    if (interrupted() != 0) throw Interrupted{interrupted()};
    const bool asked = error.status() == VIT_ERROR_ARGUMENT || error.status() == VIT_ERROR_UNSUPPORTED;
    throw Failure(asked ? kUsage : kModel, error.what());
  }
}

CalibrationPictures add_calibration(const Arguments& arguments, const Model& model, QuantizeOptions* options) {
  if (options->scheme != VIT_SCHEME_INT8)
    throw Failure(kUsage, "--calibrate: expected --scheme int8, the only one that pictures can help, found " +
                              arguments.text("scheme", ""));
  CalibrationPictures read = read_calibration_pictures(arguments.text("calibrate", ""), model, options->isa);
  for (const Pixels& pixels : read.pixels) options->calibration.push_back(Image::prepared(pixels));
  options->threads = parse_session_options(arguments).threads;
  return read;
}

std::string megabytes(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

int run(int argc, char** argv) {
  const std::optional<Arguments> arguments = parse_arguments(vit_quantize_program(), argc, argv);
  if (!arguments) return kDone;
  if (arguments->inputs.size() != 2)
    throw Failure(kUsage, "expected a model and the name of the file to make, IN OUT.vit, found " +
                              std::to_string(arguments->inputs.size()) + (arguments->inputs.size() == 1 ? " name" : " names"));
  const std::string &in = arguments->inputs[0], &out = arguments->inputs[1];
  QuantizeOptions options = parse_quantize_options(*arguments);
  const bool quiet = arguments->has("quiet");
  Arguments source = *arguments;
  source.options["model"] = {in};
  const Model model = open_model(source);
  Arguments evaluation = *arguments;
  evaluation.inputs = {arguments->text("evaluate", "")};
  evaluation.options["model"] = {in};
  for (const char* option : {"report", "evaluate", "calibrate", "keep", "scheme", "min-cosine"}) evaluation.options.erase(option);
  if (arguments->has("evaluate")) require_label_folders(evaluation, model);
  if (out == "-")
    throw Failure(kUsage, "expected the name of a file to make, found - (standard output), which has no room for a report");

  remember_interrupts();  // before there is a file to put away
  Output file(out, Output::Durable::kYes);
  std::optional<Output> report;  // opened before the work, so that a wrong path costs none
  if (arguments->has("report")) report.emplace(arguments->text("report", ""));
  CalibrationPictures calibration;
  if (arguments->has("calibrate")) calibration = add_calibration(*arguments, model, &options);
  const Quantized made = quantize(model, options, quiet);
  const vit_file in_memory{"model.safetensors", made.data(), made.bytes()};
  const Model result(out, {in_memory});
  const std::string layers = Session(result).describe(VIT_DESCRIBE_LAYERS);
  file.write({static_cast<const char*>(made.data()), made.bytes()});
  file.commit();

  if (report) {
    report->write(layers + "\n");
    report->commit();
  }
  Output output("-");
  const std::string counts = layers_summary(layers);
  if (!quiet) output.write(layers_table(layers));
  output.write(visible(out) + ": " + (counts.empty() ? "" : counts + ", ") + megabytes(made.bytes()) + "\n");
  output.commit();
  const int done = calibration.failed == 0 ? kDone : kSomeFailed;
  return arguments->has("evaluate") ? std::max(done, evaluate(evaluation, result, model)) : done;
}

}  // namespace
}  // namespace vit::tool

int main(int argc, char** argv) { return vit::tool::guarded_main("vit-quantize", argc, argv, vit::tool::run); }
