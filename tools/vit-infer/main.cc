// SPDX-License-Identifier: Apache-2.0
#include "tools/common/failure.h"
#include "tools/vit-infer/commands.h"

namespace {

int run(int argc, char** argv) {
  using namespace vit::tool;
  const std::optional<Arguments> arguments = parse_arguments(vit_infer_program(), argc, argv);
  if (!arguments) return kDone;
  if (arguments->command == "evaluate") return run_evaluate(*arguments);
  if (arguments->command == "run") return run_tensors(*arguments);
  if (arguments->command == "info") return run_info(*arguments);
  if (arguments->command == "explain") return run_explain(*arguments);
  if (arguments->command == "check") return run_check(*arguments);
  return run_images(*arguments);
}

}  // namespace

int main(int argc, char** argv) { return vit::tool::guarded_main("vit-infer", argc, argv, run); }
