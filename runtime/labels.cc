// SPDX-License-Identifier: Apache-2.0
#include "runtime/labels.h"

#include <string_view>

// The assembler copies the text into the read-only data, as it stands.
// clang-format off
asm(".pushsection .rodata\n"
    ".hidden vit_labels_imagenet\n"
    ".hidden vit_labels_imagenet_end\n"
    ".global vit_labels_imagenet\n"
    ".global vit_labels_imagenet_end\n"
    "vit_labels_imagenet:\n"
    ".incbin \"" VIT_LABELS_FILE "\"\n"
    "vit_labels_imagenet_end:\n"
    ".popsection\n");
// clang-format on
extern "C" const char vit_labels_imagenet[];
extern "C" const char vit_labels_imagenet_end[];

namespace vit {
namespace {

/// Bits of a line's first character.
constexpr unsigned k1k = 1, k12k = 2, k22k = 4, k21k = 8, k21kP = 16;

/// Appends the names of the lines whose bits, of those in `mask`, are `bits`.
void append(std::vector<std::string>& to, unsigned mask, unsigned bits) {
  std::string_view text(vit_labels_imagenet, static_cast<size_t>(vit_labels_imagenet_end - vit_labels_imagenet));
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if ((static_cast<unsigned>(line[0]) & mask) == bits) to.emplace_back(line.substr(1));
    text.remove_prefix(line.size() + 1);
  }
}

}  // namespace

std::vector<std::string> builtin_labels(int64_t count) {
  std::vector<std::string> labels;
  switch (count) {
    case 1000: append(labels, k1k, k1k); break;
    case 11221: append(labels, k21kP, k21kP); break;
    case 11821: append(labels, k12k, k12k); break;
    case 21841: append(labels, k22k, k22k); break;
    case 21842:
      append(labels, k1k, k1k);
      append(labels, k22k | k1k, k22k);
      break;
    case 21843: append(labels, k21k, k21k); break;
    default: break;
  }
  return labels;
}

}  // namespace vit
