// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/temp_folder.h"

namespace vit {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int open_or_die(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags, 0600);
  if (fd < 0) _exit(125);
  return fd;
}

/// In the child: streams as asked, then the program.
[[noreturn]] void become(const std::vector<char*>& argv, const ProcessInput& input, const std::string& in, const std::string& out,
                         const std::string& err) {
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  dup2(open_or_die(in, O_RDONLY), 0);
  dup2(open_or_die(err, O_WRONLY | O_CREAT), 2);
  if (input.closed_stdout) {
    close(1);
  } else if (input.closed_pipe) {
    int ends[2];
    if (pipe(ends) != 0) _exit(125);
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
  } else {
    dup2(open_or_die(out, O_WRONLY | O_CREAT), 1);
  }
  setenv("XDG_CONFIG_HOME", "/nonexistent", 1);  // nobody's own settings
  for (const std::string& variable : input.environment) putenv(const_cast<char*>(variable.c_str()));
  execv(argv[0], argv.data());
  _exit(126);
}

int wait_for(pid_t child, const ProcessInput& input, rusage& usage) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(input.seconds);
  auto interrupt = input.interrupt_after_ms > 0 ? Clock::now() + std::chrono::milliseconds(input.interrupt_after_ms)
                                                : Clock::time_point::max();
  for (int status = 0;;) {
    if (wait4(child, &status, WNOHANG, &usage) == child)
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (Clock::now() > interrupt) {
      kill(child, SIGINT);
      interrupt = Clock::time_point::max();
    }
    if (Clock::now() > end) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return 124;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace

std::vector<std::string> command_of(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> command;
#if defined(VIT_EMULATOR)
  std::istringstream words(VIT_EMULATOR);
  for (std::string word; words >> word;) command.push_back(word);
#endif
  command.push_back(std::string(VIT_BINARY_DIR) + "/bin/" + program);
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

ProcessResult run_program(const std::string& program, const std::vector<std::string>& arguments, const ProcessInput& input) {
  const TempFolder folder;
  const std::vector<std::string> command = command_of(program, arguments);
  const std::string in = folder.write("in", input.input), err = folder.path("err");
  const std::string out = input.out_path.empty() ? folder.path("out") : input.out_path;
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) become(argv, input, in, out, err);
  ProcessResult result;
  rusage usage{};
  result.status = wait_for(child, input, usage);
  result.peak_kib = usage.ru_maxrss;
  if (input.out_path.empty()) result.out = read_all(out);
  result.err = read_all(err);
  return result;
}

bool is_clean_text(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u; };
    const unsigned lead = byte(0);
    const size_t length = lead < 0x80                    ? 1
                          : lead >= 0xC2 && lead <= 0xDF ? 2
                          : lead >= 0xE0 && lead <= 0xEF ? 3
                          : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                         : 0;
    if (length == 0) return false;
    for (size_t k = 1; k < length; ++k)
      if ((byte(k) & 0xC0) != 0x80) return false;
    const bool line_end = lead == '\n' || (lead == '\r' && byte(1) == '\n');
    if ((lead < 0x20 && !line_end) || lead == 0x7F || (lead == 0xC2 && byte(1) < 0xA0)) return false;
    i += length;
  }
  return true;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : text) {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    line.clear();
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

}  // namespace vit
