// SPDX-License-Identifier: Apache-2.0
// Runs our programs on a terminal, as a person would.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace vit {

struct TerminalInput {
  std::string out_path = {};                  ///< standard output goes there; empty: to the terminal, too
  std::vector<std::string> environment = {};  ///< "NAME=value", added; TERM is xterm unless it is here
  unsigned short columns = 80;
  /// Ctrl-C is typed once this holds for what was shown so far.
  std::function<bool(const std::string& shown)> interrupt_when = {};
  int seconds = 60;
};

struct TerminalResult {
  int status = -1;  ///< exit code, or 128 + the signal that ended it; 124: it ran longer than its time
  std::string shown;
};

TerminalResult on_terminal(const std::string& program, const std::vector<std::string>& arguments,
                           const TerminalInput& input = {});

}  // namespace vit
