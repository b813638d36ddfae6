// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/sniff.h"

#include <algorithm>

#include "ops/core/error.h"

namespace vit {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kResave = "save it again as safetensors (in Python: model.save_pretrained(folder))";

struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view meaning;
  bool resave;  ///< whether saving it again as safetensors helps
};

// Longer signatures before those that they begin with.
constexpr Signature kSignatures[] = {
    {0, "version https://git-lfs"sv, "a Git-LFS pointer: the weights were not downloaded (git lfs pull fetches them)", false},
    {0, "PK\x05\x06"sv, "an empty zip archive", false},
    {0, "PK\x03\x04"sv, "a zip archive (a PyTorch checkpoint or a NumPy .npz)", true},
    {0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"sv, "a PyTorch checkpoint of before version 1.6", true},
    {0, "PYTORCH1"sv, "a TorchScript file", true},
    {257, "ustar"sv, "a tar archive", false},
    {0, "\x93NUMPY"sv, "a NumPy array", true},
    {0, "\x89HDF\r\n"sv, "an HDF5 file (Keras or TensorFlow weights)", true},
    {0, "GGUF"sv, "a GGUF file", true},
    {0, "\x1f\x8b"sv, "a gzip file: unpack it first", false},
    {0, "\x89PNG"sv, "a PNG picture", false},
    {0, "\xff\xd8\xff"sv, "a JPEG picture", false},
    {8, "WEBP"sv, "a WebP picture", false},
    {0, "GIF8"sv, "a GIF picture", false},
    {0, "%PDF"sv, "a PDF", false},
    {0, "\x7f\x45\x4c\x46"sv, "a program", false},
};

struct Ending {
  std::string_view ending;
  std::string_view meaning;
};

constexpr Ending kEndings[] = {
    {".bin", "a PyTorch checkpoint"}, {".pt", "a PyTorch checkpoint"},   {".pth", "a PyTorch checkpoint"},
    {".ckpt", "a checkpoint"},        {".pkl", "a Python pickle"},       {".npz", "a NumPy archive"},
    {".npy", "a NumPy array"},        {".msgpack", "a Flax checkpoint"}, {".h5", "a Keras or TensorFlow checkpoint"},
    {".onnx", "an ONNX model"},       {".gguf", "a GGUF file"},          {".tflite", "a LiteRT model"},
};

}  // namespace

std::string recognise_other_format(Bytes file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), std::min<size_t>(file.size(), 512));
  for (const Signature& s : kSignatures) {
    if (text.size() < s.offset || text.substr(s.offset, s.bytes.size()) != s.bytes) continue;
    return s.resave ? str(s.meaning, ": ", kResave) : std::string(s.meaning);
  }
  if (text.size() >= 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) return str("a Python pickle: ", kResave);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  if (text[first] == '<') return "a web page, saved instead of the weights: download the file again";
  if (text[first] == '{') return "JSON text, perhaps a server's error message: download the file again";
  return "";
}

std::string recognise_other_name(std::string_view file_name) {
  for (const Ending& e : kEndings)
    if (file_name.ends_with(e.ending)) return str(e.meaning, ": ", kResave);
  return "";
}

}  // namespace vit
