// SPDX-License-Identifier: Apache-2.0
// The one exception type, and how its sentence is put together.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace vit {

/// What went wrong, for callers that decide by it. The values are those of vit_status in runtime/api/vit.h.
enum class Code {
  kArgument = 1,     ///< the caller asked for something that does not exist or does not fit
  kModel = 2,        ///< a model file or its configuration is missing, damaged or refused
  kImage = 3,        ///< an image is missing, damaged or refused
  kIo = 4,           ///< a file could not be read or written
  kUnsupported = 5,  ///< this CPU or this build cannot do it
  kMemory = 6,       ///< out of memory, or a limit on it
  kInternal = 7      ///< a mistake of ours
};

/// One sentence: the thing, what was expected, what was found.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

/// All arguments, streamed one after the other.
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  out.exceptions(std::ios::badbit);  // without memory it throws, instead of giving a part of the text
  (out << ... << parts);
  return out.str();
}

/// Throws Error(code, sentence) unless `condition` holds; the sentence is only built when it is needed.
#define VIT_CHECK(condition, code, ...)                                    \
  do {                                                                     \
    if (!(condition)) throw ::vit::Error((code), ::vit::str(__VA_ARGS__)); \
  } while (0)

}  // namespace vit
