// SPDX-License-Identifier: Apache-2.0
#include "tools/common/failure.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "runtime/api/vit.hpp"
#include "tools/common/text.h"

namespace vit::tool {
namespace {

const char* g_program = "vit";

/// A closed standard stream would lend its number to the next file that is opened, and results would be written into that.
/// Number 1 is taken by something that refuses writing, so that lost results are noticed.
void occupy_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) != fd) _exit(kOutput);
}

Exit exit_code(vit_status status) {
  switch (status) {
    case VIT_ERROR_ARGUMENT:
    case VIT_ERROR_UNSUPPORTED: return kUsage;
    default: return kModel;
  }
}

int die_of(int number, int otherwise) {
  std::signal(number, SIG_DFL);
  std::raise(number);
  return otherwise;  // where the signal is blocked
}

}  // namespace

void complain(const std::string& sentence) {
  const std::string line = std::string(g_program) + ": " + visible(sentence) + "\n";
  if (write(2, line.data(), line.size()) < 0) return;  // there is nobody left to tell
}

int guarded_main(const char* program, int argc, char** argv, int (*body)(int, char**)) {
  g_program = program;
  occupy_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return body(argc, argv);
  } catch (const ClosedPipe&) {
    return die_of(SIGPIPE, kOutput);
  } catch (const Interrupted& interrupt) {
    return die_of(interrupt.signal, 128 + interrupt.signal);
  } catch (const Failure& failure) {
    complain(failure.what());
    return failure.code();
  } catch (const vit::Error& error) {
    complain(error.what());
    return exit_code(error.status());
  } catch (const std::bad_alloc&) {
    complain("out of memory");
    return kModel;
  } catch (const std::exception& error) {
    complain(std::string("internal mistake: ") + error.what());
    return kModel;
  }
}

}  // namespace vit::tool
