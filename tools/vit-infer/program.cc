// SPDX-License-Identifier: Apache-2.0
// The one table of what vit-infer understands.
#include "tools/vit-infer/commands.h"

namespace vit::tool {
namespace {

constexpr CommandSpec kCommands[] = {
    {"classify", "[IMAGE|FOLDER|-]...", "The most probable labels of images"},
    {"embed", "[IMAGE|FOLDER|-]...", "One vector for each image"},
    {"evaluate", "FOLDER",
     "How often a model is right on images in folders named by label, and how near a precision is to float32"},
    {"run", "", "The model alone: a tensor in, a tensor out"},
    {"info", "", "What a model is and how it would run here"},
    {"explain", "", "How images are brought to the model, and why so"},
    {"check", "MODEL|IMAGE|FOLDER...", "Whether models and images can be read, without running them"},
};
constexpr unsigned kClassify = 1, kEmbed = 2, kEvaluate = 4, kRun = 8, kInfo = 16, kExplain = 32, kCheck = 64;
constexpr unsigned kImages = kClassify | kEmbed, kManyImages = kImages | kEvaluate, kInputs = kImages | kCheck;
constexpr unsigned kAll = kManyImages | kRun | kInfo | kExplain | kCheck;

constexpr OptionSpec kOptions[] = {
    {"-m,--model", "DIR",
     "Folder with config.json and model.safetensors, a .vit file, or org/name in the Hugging Face cache [the demonstration model "
     "inside this program]",
     kAll & ~kCheck},
    {"--arch", "NAME", "timm's name of the model, for a safetensors file alone, as vit_small_patch16_224 [config.json says it]",
     kAll & ~kCheck},
    {"-r,--recursive", "", "Look for image files in subfolders, too", kInputs | kEvaluate},
    {"--files-from", "FILE", "Read names of inputs from a file, a line each; - is standard input", kInputs, kRepeated | kPerRun},
    {"--files0-from", "FILE", "The same, names that end in a zero byte, as `find -print0` writes them", kInputs,
     kRepeated | kPerRun},
    {"--on-error", "skip|stop", "After an input that fails: skip it, or stop [skip]", kManyImages},
    {"--max-errors", "N", "Stop once so many inputs have failed [no limit]", kManyImages},
    {"--batch", "N", "Images that run together; results do not depend on it [1]", kManyImages},
    {"--top-k", "N", "Labels for each image; more than there are gives all [5]", kClassify},
    {"--probabilities", "model|softmax|sigmoid",
     "softmax where one label is true, sigmoid where each is by itself; model: as its problem_type says [model]", kClassify},
    {"--labels", "FILE", "Names of the classes: a line each, or a JSON list or object [the model's own]", kClassify | kEvaluate},
    {"--skip-unknown", "", "Pass over folders whose name is no label, instead of stopping at them", kEvaluate},
    {"--input", "FILE", "float32 .npy file [B, C, H, W], already normalised; - is standard input", kRun, kPerRun},
    {"--want", "logits|features|embedding", "What is written [logits]", kRun},
    {"--format", "text|json|jsonl|csv|npy", "Form of the results [text]", kImages},
    {"--format", "text|json|jsonl", "Form of the results; jsonl has a line for each image [text]", kEvaluate},
    {"--format", "npy", "Form of the results, the only one [npy]", kRun},
    {"--format", "text|json", "Form of the results [text]", kInfo | kExplain | kCheck},
    {"-o,--output", "FILE", "Where the results go; - is standard output [-]", kAll, kPerRun},
    {"--tap", "NODE=FILE", "Write a node's value to a .npy file; `info --nodes` lists them, pixels is the 8-bit input",
     kImages | kRun, kRepeated | kPerRun},
    {"--nodes", "", "List the nodes that can be tapped", kInfo, kPerRun},
    {"--tensors", "", "List the tensors", kInfo, kPerRun},
    {"--plan", "", "List the steps of the plan", kInfo, kPerRun},
    {"--verify", "", "Replay a .vit file's golden pass on each instruction set of this CPU", kCheck, kPerRun},
    {"--latency", "", "One session with all threads, also for many images: the next result as soon as possible", kManyImages},
    {"--throughput", "", "A session for each thread, also for few images: all results as soon as possible", kManyImages},
    {"--instances", "N",
     "Copies of the session side by side, each with its share of the threads [a thread each where there are many images]",
     kManyImages},
    {"--threads", "N", "Threads; 0 is the cores that this process may use [0]", kAll},
    {"--size", "HxW", "Bring images to this height and width; one number is both [as the model's preprocessing says]", kAll},
    {"--native", "", "Images keep their own size, each side rounded to whole patches", kManyImages | kExplain},
    {"--backend", "own|onednn", "Who computes: the library's own kernels, or oneDNN [own]", kAll},
    {"--isa", kIsaWords, "Instruction set [the best of this CPU]", kAll},
    {"--precision", kPrecisionWords, kPrecisionHelp, kAll},
    {"--exif", "recipe|apply|ignore", "Orientation that a camera wrote; recipe: as the model's preprocessing [recipe]", kAll},
    {"--pillow-order", "12|13", "Order of the resize's passes: 12 as Pillow up to 12.1, 13 as Pillow 13 [12]", kAll},
    {"--dct-scale", "",
     "Decode JPEGs that are at least twice as large as needed at 1/2, 1/4 or 1/8: faster, pixels not quite those of Pillow",
     kManyImages},
    {"-q,--quiet", "", "No progress and no remarks; failures are still told", kAll},
    {"--max-pixels", "N", "Largest width x height of an image file [178956970]", kAll},
    {"--max-header", "BYTES", "Largest header of a safetensors file [16777216]", kAll},
};

}  // namespace

const ProgramSpec& vit_infer_program() {
  static const ProgramSpec program{"vit-infer", "vit-infer: Vision Transformers on CPUs, from a photo to labels.", kCommands,
                                   kOptions};
  return program;
}

}  // namespace vit::tool
