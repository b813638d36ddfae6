// SPDX-License-Identifier: Apache-2.0
// Lists of names, label files, settings and .npy files wrong in one place each: taken as they are meant, or refused in a
// sentence.
#include <algorithm>

#include "tests/catch.h"
#include "tests/cli/process.h"
#include "tests/support/tally.h"
#include "tests/support/wrong_bytes.h"
#include "tests/temp_folder.h"
#include "tools/common/failure.h"
#include "tools/common/npy.h"
#include "tools/common/settings.h"
#include "tools/common/text.h"
#include "tools/vit-infer/commands.h"
#include "tools/vit-infer/labels.h"
#include "tools/vit-infer/path_list.h"

using namespace vit;
using tool::Failure;
using namespace std::string_literals;

namespace {

const std::string kCharacters = "\n\r\0\"{}[],:=#-~ \x1b\x80\xff"s;

/// Runs `attempt`; it succeeds, or ends as what the command line asks for wrongly.
template <class Attempt>
void attempt_in(Tally& tally, const std::string& bytes, Attempt attempt) {
  if (!tally.is_new(bytes)) return;
  try {
    attempt();
    tally.taken();
  } catch (const Failure& failure) {
    if (failure.code() != tool::kUsage) FAIL_CHECK(failure.what());
    tally.refused(tool::visible(failure.what()));
  } catch (const std::runtime_error& error) {  // of an .npy file, which fails as an input
    tally.refused(tool::visible(error.what()));
  }
}

/// The names of a list, by the rule: between separators, without a CR before LF, and never empty.
std::vector<std::string> names_in(const std::string& text, char separator) {
  std::vector<std::string> names;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    std::string name = text.substr(at, end - at);
    if (separator == '\n' && name.ends_with('\r')) name.pop_back();
    if (!name.empty()) names.push_back(name);
    at = end + 1;
  }
  return names;
}

TEST_CASE("lists of names hold what is between their separators, whatever that is", "[cli][hostile]") {
  Tally tally("lists of names");
  const TempFolder folder;
  for (const char separator : {'\n', '\0'}) {
    const auto attempt = [&](const std::string& text) {
      attempt_in(tally, separator + text, [&] {
        tool::PathList list("files-from", folder.write("list", text), separator);
        std::vector<std::string> names;
        for (tool::Input input; list.next(input);) {
          names.push_back(input.path);
          if (input.refusal.empty() == (input.path.find('\0') != std::string::npos)) FAIL_CHECK(input.refusal);
        }
        if (names != names_in(text, separator)) FAIL_CHECK(tool::visible(text));
      });
    };
    each_byte_wrong("a.jpg\nb c.jpg\r\n\n\xff\xfe\0\0-\n  \n\"q\"\nlast"s, kCharacters, attempt);
    for (const size_t bytes : {0, 1, 65534, 65535, 65536, 65537, 131072, 300'000})
      for (const char c : {'a', '\n', '\r', '\0', ' '})
        for (const char* end : {"", "\n", "\r\n", "x"}) attempt(std::string(bytes, c) + end);
  }
  CHECK(tally.cases() > 1600);
  CHECK(tally.refused_cases() > 10);  // names of more than 64 KiB
}

TEST_CASE("label files give as many labels as there are classes, or are refused", "[cli][hostile]") {
  Tally tally("label files");
  const TempFolder folder;
  const auto attempt = [&](const std::string& text) {
    attempt_in(tally, text, [&] {
      if (tool::read_labels(folder.write("labels", text), 3).size() != 3) FAIL_CHECK(tool::visible(text));
    });
  };
  for (const std::string text :
       {"cat\ndog\nbird\n", "[\"cat\", \"dog\", \"b\\u00e4r\"]", "{\"0\": \"cat\", \"2\": \"bird\", \"1\": \"dog\"}"})
    each_byte_wrong(text, kCharacters, attempt);
  for (const size_t depth : {10, 1000, 1'000'000}) {
    attempt(std::string(depth, '['));
    attempt(std::string(depth, '[') + std::string(depth, ']'));
    attempt(std::string(depth, '{'));
  }
  attempt("a\nb\n" + std::string(1 << 20, 'c'));
  attempt(std::string(1 << 20, '\n'));
  CHECK(tally.cases() > 1500);
  CHECK(tally.taken_cases() > 200);
}

TEST_CASE("settings files set options of the table, or are refused with the line", "[cli][hostile]") {
  Tally tally("settings files");
  const TempFolder folder;
  const tool::ProgramSpec& program = tool::vit_infer_program();
  const auto attempt = [&](const std::string& text) {
    attempt_in(tally, text, [&] {
      tool::Arguments arguments;
      arguments.command = "classify";
      arguments.options["config"] = {folder.write("config", text)};
      tool::add_settings(program, program.commands[0], arguments);
      for (const auto& [name, values] : arguments.options)
        for (const std::string& value : values)
          if (value.empty() || value.find('\0') != std::string::npos || value.find('\n') != std::string::npos) FAIL_CHECK(name);
    });
  };
  each_byte_wrong("# all\nthreads = 2\r\n[classify]\ntop-k=3\nquiet = yes\n\n[info]\nformat = json\n[vit-bench]\nseconds = 1\n",
                  kCharacters, attempt);
  for (const tool::OptionSpec& option : program.options) {
    const std::string names = option.names, name = names.substr(names.find("--") + 2);
    for (const char* value : {"", "0", "1", "-1", "yes", "no", "maybe", "18446744073709551616", "1e3", "json", "~/x", "~",
                              "$HOME", "=", "#", "\"1\"", "\x1b[2J", "\xff"})
      attempt(name + " = " + value + "\n");
    attempt(name);
    attempt("--" + name + " = 1");
    attempt(name.substr(1) + " = 1");
  }
  for (const char* text :
       {"[", "]", "[]", "[classify", "classify]", "[[classify]]", "[ classify ]", "[clasify]", "[other]\nx = 1", "=", "= 1"})
    attempt(text);
  for (const size_t bytes : {65535, 65536, 65537, 200'000})
    for (const char c : {'#', '\n', 'a', '=', '[', '\0'}) attempt(std::string(bytes, c));
  CHECK(tally.cases() > 2500);
  CHECK(tally.taken_cases() > 300);
}

TEST_CASE(".npy files are read as their header says, or are refused", "[cli][hostile]") {
  Tally tally(".npy files");
  const TempFolder folder;
  const std::string whole = tool::npy_header(tool::NpyType::kFloat32, {1, 3, 2, 2}) + std::string(48, '\x3f');
  const auto attempt = [&](const std::string& text) {
    attempt_in(tally, text, [&] {
      tool::NpyReader reader(folder.write("x.npy", text));
      size_t elements = 1;
      for (const size_t axis : reader.shape()) elements *= axis;
      if (elements > text.size()) FAIL_CHECK("more elements than bytes: " << elements);
      std::vector<float> values(elements);
      reader.read(values.data(), elements);
    });
  };
  attempt(whole);
  each_byte_wrong(whole.substr(0, 90), kCharacters + "0123456789()'<>", attempt);
  for (size_t bytes = 0; bytes < whole.size() + 8; ++bytes) attempt((whole + std::string(8, 'x')).substr(0, bytes));
  for (const char* shape : {"()",
                            "(0,)",
                            "(1,)",
                            "(12,)",
                            "(13,)",
                            "(-1,)",
                            "(3, 4)",
                            "(3, 4, )",
                            "(18446744073709551615,)",
                            "(4294967296, 4294967296)",
                            "(9223372036854775808, 2)",
                            "(0, 18446744073709551615)",
                            "12",
                            "[12]",
                            "(1.0,)",
                            "(12L,)",
                            "(True,)",
                            "(((12)))",
                            "(1,,2)",
                            "(,)"})
    for (const char* type : {"<f4", ">f4", "<f8", "|u1", "=f4", "O", "|O", "<f4,<f4", ""}) {
      std::string text = std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
      text.resize(117, ' ');
      attempt(whole.substr(0, 10) + text + "\n" + whole.substr(128));
    }
  CHECK(tally.cases() > 3000);
  CHECK(tally.taken_cases() > 3);
}

}  // namespace
