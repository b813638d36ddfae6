// SPDX-License-Identifier: Apache-2.0
#include "tools/common/failure.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

constexpr CommandSpec kCommands[] = {{"bench", "[IMAGE...]", ""}};

constexpr OptionSpec kOptions[] = {
    {"-m,--model", "DIR", "Folder with config.json and model.safetensors [the demonstration model inside this program]", 1},
    {"--arch", "NAME", "timm's name of the model, as vit_small_patch16_224; without --model it gets random weights", 1},
    {"--threads", "N", "Threads; 0 is the cores that this process may use [0]", 1},
    {"--batch", "N", "Images in one run [1]", 1},
    {"--size", "HxW", "Height and width of the input; one number is both [the model's own]", 1},
    {"--runs", "N", "Stop after so many runs [no limit]", 1},
    {"--seconds", "N", "Stop after so many seconds [3]", 1},
    {"--backend", "own|onednn", "Who computes: the library's own kernels, or oneDNN [own]", 1},
    {"--isa", kIsaWords, "Instruction set [the best of this CPU]", 1},
    {"--precision", kPrecisionWords, kPrecisionHelp, 1},
    {"--dct-scale", "", "Decode large JPEGs at 1/2, 1/4 or 1/8, as in vit-infer", 1},
    {"--grid", "SIZE/PATCH,...", "With --arch: measure it untrained at each of these sizes, as 256/16,384/32,512/16", 1, kPerRun},
    {"--kernels", "", "Check and time the kernels, and steps against oneDNN and at awkward sizes, on one thread", 1, kPerRun},
    {"--trace", "FILE", "Write when each thread did which step, three runs of them, as Chrome trace events for Perfetto", 1,
     kPerRun},
    {"--format", "text|json|markdown", "Form of the report [text]", 1},
    {"-o,--output", "FILE", "Where the report goes, with --worker the logits as raw float32; - is standard output [-]", 1,
     kPerRun},
    {"--max-header", "BYTES", "Largest header of a safetensors file [16777216]", 1},
    {"--worker", "", "Answer `run K` lines on standard input with K latencies in ms, for comparing engines", 1, kPerRun},
    {"--input", "FILE", "With --worker: raw little-endian float32 [B, C, H, W]", 1, kPerRun},
};

int run(int argc, char** argv) {
  const std::optional<Arguments> arguments = parse_arguments(vit_bench_program(), argc, argv);
  if (!arguments) return kDone;
  const bool worker = arguments->has("worker"), grid = arguments->has("grid"), kernels = arguments->has("kernels");
  if (worker + grid + kernels > 1) throw Failure(kUsage, "expected one of --worker, --grid and --kernels");
  if (arguments->has("trace") && (worker || grid || kernels))
    throw Failure(kUsage, "--trace: is of a model's runs; expected none of --worker, --grid and --kernels");
  if (worker) return work(*arguments);
  if (arguments->has("input")) throw Failure(kUsage, "--input is read with --worker only");
  if (grid) return measure_grid(*arguments);
  return kernels ? measure_kernels(*arguments) : measure(*arguments);
}

}  // namespace

const ProgramSpec& vit_bench_program() {
  static const ProgramSpec program{"vit-bench",
                                   "vit-bench: how long a model takes on this CPU, step by step, on pictures or on random input.",
                                   kCommands, kOptions};
  return program;
}

}  // namespace vit::tool

int main(int argc, char** argv) { return vit::tool::guarded_main("vit-bench", argc, argv, vit::tool::run); }
