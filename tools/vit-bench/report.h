// SPDX-License-Identifier: Apache-2.0
// A report in its three forms: JSON for programs, columns for people, Markdown for pages.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "benchmarks/bench.h"

namespace vit::tool {

using Json = nlohmann::ordered_json;

/// Cells are text already; the first `left` columns stand left, the rest are numbers.
struct Table {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
  size_t left = 1;
};

struct Section {
  std::string title;                                       ///< may be empty
  std::vector<std::pair<std::string, std::string>> facts;  ///< name and value
  Table table;                                             ///< may be empty
};

struct Report {
  Json json;
  std::vector<Section> sections;
};

/// `format`: text, json or markdown.
std::string render(const Report& report, const std::string& format);

/// A number with so many digits after the point; "-" when it is nothing, as a share of an unknown peak.
std::string fixed(double value, int digits);
std::string percent(double share);
/// {"min", "median", "p90", "spread"}
Json summary_json(const bench::Summary& summary);

}  // namespace vit::tool
