// SPDX-License-Identifier: Apache-2.0
// info and explain: what the library says about a model, as JSON or as text made from it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/common/engine.h"
#include "tools/common/failure.h"
#include "tools/common/output.h"
#include "tools/common/text.h"
#include "tools/vit-infer/commands.h"

namespace vit::tool {
namespace {

using Json = nlohmann::ordered_json;

Json description(const Session& session, vit_description what) { return Json::parse(session.describe(what)); }

/// A value on one line: strings bare, lists as "[a, b]", objects as "a 1, b 2".
std::string inline_text(const Json& value) {
  if (value.is_string()) return visible(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "none";
  if (!value.is_structured()) return value.dump();
  std::string text;
  for (const auto& [key, item] : value.items())
    text += (text.empty() ? "" : ", ") + (value.is_object() ? visible(key) + " " : std::string()) + inline_text(item);
  return value.is_array() ? "[" + text + "]" : text;
}

/// A count of bytes also in a unit that people read.
std::string value_text(const std::string& key, const Json& value) {
  const bool bytes = key == "bytes" || (key.size() > 6 && key.compare(key.size() - 6, 6, "_bytes") == 0);
  return bytes && value.is_number() && value.get<double>() >= 1000
             ? inline_text(value) + " (" + byte_size(value.get<double>()) + ")"
             : inline_text(value);
}

std::string padded(std::string text, size_t width) {
  // Continuation bytes of UTF-8 take no column.
  const auto columns = static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  return text + std::string(columns < width ? width - columns : 0, ' ');
}

bool is_table(const Json& value) { return value.is_array() && !value.empty() && value[0].is_object(); }

/// "key  value" lines; tables are left for table_text().
std::string fields_text(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    if (is_table(value)) continue;
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    text += "  " + padded(name, 22) + value_text(key, value) + "\n";
  }
  return text;
}

/// A line for each object, values in columns.
std::string table_text(const Json& rows) {
  std::vector<std::vector<std::string>> cells;
  std::vector<size_t> widths;
  for (const Json& row : rows) {
    cells.emplace_back();
    for (const auto& [key, value] : row.items()) {
      cells.back().push_back(inline_text(value));
      if (widths.size() < cells.back().size()) widths.push_back(0);
      size_t& width = widths[cells.back().size() - 1];
      width = std::max(width, cells.back().back().size());
    }
  }
  std::string text;
  for (const auto& row : cells) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += i + 1 == row.size() ? row[i] : padded(row[i], widths[i] + 2);
    text += line + "\n";
  }
  return text;
}

std::string plan_tables(const Json& plan) {
  std::string text;
  for (const auto& [key, value] : plan.items())
    if (is_table(value)) text += table_text(value);
  return text;
}

/// One run, since the plan reserves its memory for the sizes that it sees.
void run_blank(Session& session) {
  const vit_model_info info = session.model().info();
  const vit_output want = info.num_labels != 0 ? VIT_OUTPUT_LOGITS : VIT_OUTPUT_EMBEDDING;
  if (info.channels == 3) {
    const std::vector<uint8_t> blank(3 * info.height * info.width);
    session.infer({Image::pixels(blank.data(), info.width, info.height)}, want);
  } else {
    const std::vector<float> blank(info.channels * info.height * info.width);
    session.run(blank.data(), 1, info.height, info.width, want);
  }
}

std::string info_text(const Arguments& arguments, const Session& session) {
  std::string lists;
  if (arguments.has("nodes")) lists += table_text(description(session, VIT_DESCRIBE_NODES));
  if (arguments.has("tensors")) lists += table_text(description(session, VIT_DESCRIBE_TENSORS));
  if (arguments.has("plan")) lists += plan_tables(description(session, VIT_DESCRIBE_PLAN));
  if (!lists.empty()) return lists;
  const size_t tensors = description(session, VIT_DESCRIBE_TENSORS).size();
  return "model\n" + fields_text(description(session, VIT_DESCRIBE_MODEL)) + "  " + padded("tensors", 22) +
         std::to_string(tensors) + "\nplan\n" + fields_text(description(session, VIT_DESCRIBE_PLAN)) +
         "\n--nodes, --tensors and --plan list the details.\n";
}

Json info_json(const Arguments& arguments, const Session& session) {
  const bool all = !arguments.has("nodes") && !arguments.has("tensors") && !arguments.has("plan");
  Json out = Json::object();
  if (all) out["model"] = description(session, VIT_DESCRIBE_MODEL);
  if (all || arguments.has("tensors")) out["tensors"] = description(session, VIT_DESCRIBE_TENSORS);
  if (all || arguments.has("nodes")) out["nodes"] = description(session, VIT_DESCRIBE_NODES);
  if (all || arguments.has("plan")) out["plan"] = description(session, VIT_DESCRIBE_PLAN);
  return out;
}

std::string explain_text(const Json& recipe) {
  std::string text;
  for (const auto& [key, step] : recipe.items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    const std::string value = inline_text(step.is_object() && step.contains("value") ? step["value"] : step);
    const std::string origin = step.is_object() && step.contains("origin") ? inline_text(step["origin"]) : "";
    text += padded(name, 14) + padded(value, 44) + (origin.empty() ? "" : "  " + origin) + "\n";
  }
  return text;
}

/// JSON as a person may read it, in ASCII.
std::string pretty(const Json& value) { return value.dump(2, ' ', /*ensure_ascii=*/true) + "\n"; }

}  // namespace

int run_info(const Arguments& arguments) {
  const std::string format = arguments.text("format", "text");
  Output output(arguments.text("output", "-"));
  Session session = open_session(open_model(arguments), parse_session_options(arguments));
  if (!arguments.has("size")) run_blank(session);  // of a size that may be too large for a run, the plan's own figures
  output.write(format == "json" ? pretty(info_json(arguments, session)) : info_text(arguments, session));
  output.commit();
  return kDone;
}

int run_explain(const Arguments& arguments) {
  const std::string format = arguments.text("format", "text");
  Output output(arguments.text("output", "-"));
  const Session session = open_session(open_model(arguments), parse_session_options(arguments));
  const Json recipe = description(session, VIT_DESCRIBE_RECIPE);
  output.write(format == "json" ? pretty(recipe) : explain_text(recipe));
  output.commit();
  return kDone;
}

}  // namespace vit::tool
