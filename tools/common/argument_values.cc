// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "tools/common/arguments.h"
#include "tools/common/failure.h"

namespace vit::tool {

std::string Arguments::named(const std::string& name) const {
  const auto found = origins.find(name);
  return found == origins.end() ? "--" + name : found->second;
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : found->second.back();
}

std::vector<std::string> Arguments::texts(const std::string& name) const {
  const auto found = options.find(name);
  return found == options.end() ? std::vector<std::string>{} : found->second;
}

uint64_t Arguments::whole(const std::string& name, uint64_t smallest, uint64_t largest, uint64_t otherwise) const {
  if (!has(name)) return otherwise;
  const std::string value = text(name, "");
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < smallest || number > largest)
    throw Failure(kUsage, named(name) + ": expected a whole number " +
                              (largest == UINT64_MAX ? "of at least " + std::to_string(smallest)
                                                     : "from " + std::to_string(smallest) + " to " + std::to_string(largest)) +
                              ", found '" + value + "'");
  return number;
}

}  // namespace vit::tool
