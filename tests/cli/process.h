// SPDX-License-Identifier: Apache-2.0
// Runs our programs as a shell would, and keeps everything that they say.
#pragma once

#include <string>
#include <vector>

namespace vit {

struct ProcessResult {
  int status = -1;  ///< exit code, or 128 + the signal that ended it; 124: it ran longer than its time and was killed
  std::string out, err;
  long peak_kib = 0;  ///< the most memory that it had at once
};

struct ProcessInput {
  std::string input = {};                     ///< of standard input
  std::string out_path = {};                  ///< standard output goes there instead of into the result
  bool closed_pipe = false;                   ///< standard output is a pipe that nobody reads
  bool closed_stdout = false;                 ///< there is no standard output at all
  std::vector<std::string> environment = {};  ///< "NAME=value", added
  int interrupt_after_ms = 0;                 ///< then SIGINT is sent; 0: never
  int seconds = 60;
};

/// What runs programs of another processor (VIT_EMULATOR, its words apart by blanks), then the program and its arguments.
std::vector<std::string> command_of(const std::string& program, const std::vector<std::string>& arguments);

/// A program of the build's bin folder.
ProcessResult run_program(const std::string& program, const std::vector<std::string>& arguments, const ProcessInput& input = {});

inline ProcessResult infer(const std::vector<std::string>& arguments, const ProcessInput& input = {}) {
  return run_program("vit-infer", arguments, input);
}

/// Valid UTF-8 and, apart from line ends (CR LF and LF), free of control characters (C0, DEL, C1).
bool is_clean_text(const std::string& text);
/// Lines, without their ends.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace vit
