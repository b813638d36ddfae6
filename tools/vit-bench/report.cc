// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace vit::tool {
namespace {

/// Characters, not bytes.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool left) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return left ? text + space : space + text;
}

std::string columns(const Table& table) {
  std::vector<size_t> widths;
  for (const std::string& title : table.head) widths.push_back(width_of(title));
  for (const auto& row : table.rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (size_t c = 0; c < cells.size(); ++c) out += (c == 0 ? "" : "  ") + padded(cells[c], widths[c], c < table.left);
    text += out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  };
  line(table.head);
  for (const auto& row : table.rows) line(row);
  return text;
}

std::string escaped(const std::string& cell) {
  std::string out;
  for (const char c : cell) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string pipes(const Table& table) {
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    text += '|';
    for (const std::string& cell : cells) text += " " + escaped(cell) + " |";
    text += '\n';
  };
  line(table.head);
  text += '|';
  for (size_t c = 0; c < table.head.size(); ++c) text += c < table.left ? "---|" : "---:|";
  text += '\n';
  for (const auto& row : table.rows) line(row);
  return text;
}

std::string as_text(const Section& section) {
  std::string text;
  if (!section.title.empty()) text += section.title + "\n";
  size_t width = 0;
  for (const auto& [name, value] : section.facts) width = std::max(width, width_of(name));
  for (const auto& [name, value] : section.facts) text += padded(name, width, true) + "  " + value + "\n";
  if (!section.facts.empty() && !section.table.head.empty()) text += "\n";
  return section.table.head.empty() ? text : text + columns(section.table);
}

std::string as_markdown(const Section& section) {
  std::string text;
  if (!section.title.empty()) text += "## " + section.title + "\n\n";
  for (const auto& [name, value] : section.facts) text += "- " + name + ": " + value + "\n";
  if (!section.facts.empty() && !section.table.head.empty()) text += "\n";
  return section.table.head.empty() ? text : text + pipes(section.table);
}

}  // namespace

std::string render(const Report& report, const std::string& format) {
  if (format == "json") return report.json.dump(2, ' ', true) + "\n";
  std::string text;
  for (const Section& section : report.sections)
    text += (text.empty() ? "" : "\n") + (format == "markdown" ? as_markdown(section) : as_text(section));
  return text;
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string percent(double share) { return std::isfinite(share) ? fixed(100 * share, 1) + " %" : "-"; }

Json summary_json(const bench::Summary& s) {
  return {{"min", s.min}, {"median", s.median}, {"p90", s.p90}, {"spread", s.spread}};
}

}  // namespace vit::tool
