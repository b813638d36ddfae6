// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/vit-bench/bench.h"

namespace vit::tool {
namespace {

void read_raw(const std::string& path, std::vector<float>& to) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure(kAllFailed, path + ": cannot be opened");
  const auto bytes = static_cast<std::streamsize>(to.size() * sizeof(float));
  file.read(reinterpret_cast<char*>(to.data()), bytes);
  if (file.gcount() != bytes || file.peek() != std::ifstream::traits_type::eof())
    throw Failure(kAllFailed, path + ": expected " + std::to_string(bytes) + " bytes of float32, the file has " +
                                  (file.gcount() != bytes ? "only " + std::to_string(file.gcount()) : std::string("more")));
}

size_t parse_request(const std::string& line) {
  size_t count = 0;
  const char* const end = line.data() + line.size();
  const bool run = line.rfind("run ", 0) == 0;
  const auto [at, error] = std::from_chars(line.data() + (run ? 4 : 0), end, count);
  if (!run || error != std::errc() || at != end || count < 1 || count > 1000000)
    throw Failure(kUsage, "expected a line `run K` on standard input, found '" + line + "'");
  return count;
}

}  // namespace

int work(const Arguments& arguments) {
  if (!arguments.has("input")) throw Failure(kUsage, "--worker needs --input");
  if (!arguments.inputs.empty()) throw Failure(kUsage, "--worker: its input is that of --input; expected no pictures");
  Session session = open_session(open_model(arguments, Untrained::kAllowed), parse_session_options(arguments));
  Workload workload = make_workload(arguments, session);
  read_raw(arguments.text("input", ""), workload.input);

  Output answers("-");
  bool written = !arguments.has("output") || arguments.text("output", "-") == "-";
  for (std::string line; std::getline(std::cin, line);) {
    std::string times;
    for (size_t left = parse_request(line); left > 0; --left) {
      char text[32];
      std::snprintf(text, sizeof text, "%.4f", run_once(session, workload));
      if (!times.empty()) times += ' ';
      times += text;
    }
    if (!written) {
      Output logits(arguments.text("output", ""));
      logits.write({reinterpret_cast<const char*>(workload.output.data()), workload.output.size() * sizeof(float)});
      logits.commit();
      written = true;
    }
    times += '\n';
    answers.write(times);
    answers.flush();
  }
  return kDone;
}

}  // namespace vit::tool
