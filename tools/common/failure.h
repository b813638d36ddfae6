// SPDX-License-Identifier: Apache-2.0
// How a program of ours ends.
#pragma once

#include <stdexcept>
#include <string>

namespace vit::tool {

/// Exit codes; scripts rely on them.
enum Exit {
  kDone = 0,
  kSomeFailed = 1,  ///< some inputs failed, the rest is written
  kUsage = 2,       ///< the command line makes no sense, or asks for what this CPU or build cannot do
  kModel = 3,       ///< the model cannot be loaded
  kOutput = 4,      ///< the results cannot be written
  kAllFailed = 5    ///< every input failed
};

/// Ends the program with a sentence on standard error.
class Failure : public std::runtime_error {
 public:
  Failure(Exit code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  Exit code() const noexcept { return code_; }

 private:
  Exit code_;
};

/// Nobody reads our results any more: the program ends without a word.
struct ClosedPipe {};

/// A signal asked the program to end: it does, as if by that signal, once everything is put away.
struct Interrupted {
  int signal;
};

/// Writes "PROGRAM: SENTENCE" to standard error, control characters made visible.
void complain(const std::string& sentence);

/// Prepares standard streams and signals, runs `body` and turns whatever it throws into an exit code and a sentence.
int guarded_main(const char* program, int argc, char** argv, int (*body)(int argc, char** argv));

}  // namespace vit::tool
