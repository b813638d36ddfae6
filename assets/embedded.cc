// SPDX-License-Identifier: Apache-2.0
#include "assets/embedded.h"

// The assembler copies each file into the read-only data: megabytes of array initialisers would take a compiler minutes.
// clang-format off
#define VIT_EMBED(symbol, file)                      \
  asm(".pushsection .rodata\n"                       \
      ".hidden vit_embedded_" #symbol "\n"           \
      ".hidden vit_embedded_" #symbol "_end\n"       \
      ".global vit_embedded_" #symbol "\n"           \
      ".global vit_embedded_" #symbol "_end\n"       \
      ".balign 64\n"                                 \
      "vit_embedded_" #symbol ":\n"                  \
      ".incbin \"" VIT_ASSETS_MODEL "/" file "\"\n"  \
      "vit_embedded_" #symbol "_end:\n"              \
      ".popsection\n");                              \
  extern "C" const uint8_t vit_embedded_##symbol[];  \
  extern "C" const uint8_t vit_embedded_##symbol##_end[]
// clang-format on

VIT_EMBED(config, "config.json");
VIT_EMBED(preprocessor, "preprocessor_config.json");
VIT_EMBED(weights, "model.safetensors");

namespace vit {

std::span<const EmbeddedFile> embedded_model() {
  static const EmbeddedFile files[] = {
      {"config.json", {vit_embedded_config, vit_embedded_config_end}},
      {"preprocessor_config.json", {vit_embedded_preprocessor, vit_embedded_preprocessor_end}},
      {"model.safetensors", {vit_embedded_weights, vit_embedded_weights_end}},
  };
  return files;
}

}  // namespace vit
