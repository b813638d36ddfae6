// SPDX-License-Identifier: Apache-2.0
#include "runtime/arch/timm_registry.h"

#include <algorithm>
#include <iterator>

#include "ops/core/error.h"
#include "runtime/arch/nearest_name.h"
#include "runtime/io/printable.h"

namespace vit {
namespace {

struct Entry {
  std::string_view name, model_class, arguments, tags;  ///< tags: "NAME=INDEX NAME=INDEX"
};
struct Renamed {
  std::string_view from, to;
};

#define VIT_TIMM_CONFIGURATION(text) text,
constexpr std::string_view kConfigurations[] = {
#include "runtime/arch/timm_registry.inc"
};
#undef VIT_TIMM_CONFIGURATION

#define VIT_TIMM_MODEL(name, model_class, arguments, tags) {name, model_class, arguments, tags},
constexpr Entry kEntries[] = {
#include "runtime/arch/timm_registry.inc"
};
#undef VIT_TIMM_MODEL

#define VIT_TIMM_RENAMED(from, to) {from, to},
constexpr Renamed kRenamed[] = {
#include "runtime/arch/timm_registry.inc"
};
#undef VIT_TIMM_RENAMED

constexpr std::string_view kHybrid = "hybrid";

bool runs(const Entry& entry) { return !entry.arguments.empty(); }

const Entry* find(std::string_view name) {
  const auto found = std::find_if(std::begin(kEntries), std::end(kEntries), [&](const Entry& e) { return e.name == name; });
  return found == std::end(kEntries) ? nullptr : found;
}

std::string_view current_name(std::string_view name) {
  const auto found = std::find_if(std::begin(kRenamed), std::end(kRenamed), [&](const Renamed& r) { return r.from == name; });
  return found == std::end(kRenamed) ? name : found->to;
}

/// The tag's name and configuration in an entry's list; the first one for an empty name.
bool find_tag(std::string_view tags, std::string_view name, TimmEntry* entry) {
  while (!tags.empty()) {
    const size_t end = std::min(tags.find(' '), tags.size()), equals = tags.find('=');
    const std::string_view tag = tags.substr(0, equals);
    if (name.empty() || tag == name) {
      size_t index = 0;
      for (const char digit : tags.substr(equals + 1, end - equals - 1)) index = 10 * index + static_cast<size_t>(digit - '0');
      entry->tag = tag;
      entry->pretrained = kConfigurations[index];
      return true;
    }
    tags.remove_prefix(std::min(end + 1, tags.size()));
  }
  return false;
}

[[noreturn]] void refuse(std::string_view name, const std::string& what) {
  std::vector<std::string> known = timm_entry_names();
  for (const Renamed& renamed : kRenamed)
    if (const Entry* entry = find(renamed.to.substr(0, renamed.to.find('.'))); entry != nullptr && runs(*entry))
      known.emplace_back(renamed.from);
  const std::string near = nearest_names(name, known, 3);
  throw Error(Code::kModel, str(what, ": expected a Vision Transformer of timm's registry, found '", printable(name), "'",
                                near.empty() ? "" : ": did you mean " + near + "?"));
}

}  // namespace

TimmEntry find_timm_entry(const std::string& asked, const std::string& what) {
  const std::string_view full = current_name(asked);
  const size_t dot = full.find('.');
  const std::string_view name = full.substr(0, dot), tag = dot == std::string_view::npos ? "" : full.substr(dot + 1);
  const Entry* const entry = find(name);
  if (entry == nullptr) refuse(name, what);
  VIT_CHECK(entry->model_class != kHybrid, Code::kModel, what, ": '", name,
            "' is a hybrid, a transformer on top of a convolutional network, which this version does not run");
  VIT_CHECK(runs(*entry), Code::kModel, what, ": '", name, "' is of timm's class ", entry->model_class,
            "; this version runs VisionTransformer and VisionTransformerDistilled");
  TimmEntry found;
  found.name = name;
  found.model_class = entry->model_class;
  found.arguments = entry->arguments;
  if (!find_tag(entry->tags, tag, &found)) {
    std::string tags;
    for (std::string_view left = entry->tags; !left.empty();) {
      tags += (tags.empty() ? "" : ", ") + std::string(left.substr(0, left.find('=')));
      left.remove_prefix(std::min(std::min(left.find(' '), left.size()) + 1, left.size()));
    }
    throw Error(Code::kModel, str(what, ": expected a tag of ", name, " (", tags, "), found '", printable(tag), "'"));
  }
  return found;
}

std::vector<std::string> timm_entry_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries)
    if (runs(entry)) names.emplace_back(entry.name);
  return names;
}

std::vector<std::string> timm_hybrid_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries)
    if (entry.model_class == kHybrid) names.emplace_back(entry.name);
  return names;
}

}  // namespace vit
