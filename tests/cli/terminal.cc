// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "tests/cli/process.h"

namespace vit {
namespace {

/// In the child, whose standard streams are the terminal.
[[noreturn]] void become(const std::vector<std::string>& command, const TerminalInput& input) {
  if (!input.out_path.empty()) {
    const int out = open(input.out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0 || dup2(out, 1) < 0) _exit(125);
  }
  signal(SIGINT, SIG_DFL);
  setenv("XDG_CONFIG_HOME", "/nonexistent", 1);  // nobody's own settings
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  for (const std::string& variable : input.environment) putenv(const_cast<char*>(variable.c_str()));
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(126);
}

}  // namespace

TerminalResult on_terminal(const std::string& program, const std::vector<std::string>& arguments, const TerminalInput& input) {
  using Clock = std::chrono::steady_clock;
  const std::vector<std::string> command = command_of(program, arguments);
  winsize size{};
  size.ws_row = 24, size.ws_col = input.columns;
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) become(command, input);
  TerminalResult result;
  if (child < 0) return result;
  bool interrupted = false;
  const auto end = Clock::now() + std::chrono::seconds(input.seconds);
  for (char bytes[4096]; Clock::now() < end;) {
    pollfd one{terminal, POLLIN, 0};
    if (poll(&one, 1, 100) == 0) continue;
    const ssize_t got = read(terminal, bytes, sizeof bytes);
    if (got <= 0) break;  // the program has left the terminal
    result.shown.append(bytes, static_cast<size_t>(got));
    if (interrupted || !input.interrupt_when || !input.interrupt_when(result.shown)) continue;
    interrupted = write(terminal, "\x03", 1) == 1;
  }
  int status = 0;
  if (Clock::now() >= end) kill(child, SIGKILL);
  waitpid(child, &status, 0);
  close(terminal);
  result.status = Clock::now() >= end ? 124 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace vit
