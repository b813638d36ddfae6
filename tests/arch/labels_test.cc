// SPDX-License-Identifier: Apache-2.0
#include "runtime/labels.h"

#include "tests/arch/models.h"
#include "tests/catch.h"

namespace vit {
namespace {

/// FNV-1a of the names, each ended by a newline.
uint64_t hash(const std::vector<std::string>& names) {
  uint64_t value = 0xcbf29ce484222325;
  const auto take = [&](char c) { value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3; };
  for (const std::string& name : names) {
    for (const char c : name) take(c);
    take('\n');
  }
  return value;
}

TEST_CASE("each ImageNet list has timm's names in timm's order", "[arch]") {
  struct List {
    int64_t count;
    uint64_t hash;  // printed by tests/goldens/make_labels.py
  };
  const List list = GENERATE(List{1000, 0x22d16be46f497162}, List{11221, 0x91d4addea4ce1af8}, List{11821, 0xb05aec6f37872587},
                             List{21841, 0xfff08fee7cc3611e}, List{21842, 0xa711c9a28cfa964a}, List{21843, 0x30aa82b6f4ba83d5});
  const std::vector<std::string> names = builtin_labels(list.count);
  CAPTURE(list.count);
  REQUIRE(names.size() == static_cast<size_t>(list.count));
  CHECK(hash(names) == list.hash);
}

TEST_CASE("well-known labels stand where everybody expects them", "[arch]") {
  const std::vector<std::string> names = builtin_labels(1000);
  CHECK(names.at(0) == "tench, Tinca tinca");
  CHECK(names.at(281) == "tabby, tabby cat");
  CHECK(names.at(850) == "teddy, teddy bear");
  CHECK(names.at(999) == "toilet tissue, toilet paper, bathroom tissue");
  CHECK(builtin_labels(21843).at(0) == "organism, being");
}

TEST_CASE("other counts have no built-in names", "[arch]") {
  for (const int64_t count : {-1, 0, 1, 2, 10, 999, 1001, 21840}) CHECK(builtin_labels(count).empty());
}

TEST_CASE("a classifier without names has those of the list that is as long", "[arch]") {
  Parts parts("vit-classifier");
  const auto classes = [&](int64_t count) {
    parts.tensor("classifier.weight").shape = Shape{count, 72};
    parts.tensor("classifier.bias").shape = Shape{count};
  };
  parts.config.erase("id2label");
  parts.config.erase("label2id");
  classes(1000);
  CHECK(parts.build().config.labels == builtin_labels(1000));
  classes(2);
  CHECK(parts.build().config.labels == std::vector<std::string>{"LABEL_0", "LABEL_1"});
  parts.config["num_labels"] = 3;
  classes(3);
  CHECK(parts.build().config.labels.at(2) == "LABEL_2");
  parts.config["num_labels"] = 11821;
  classes(11821);
  CHECK(parts.build().config.labels == builtin_labels(11821));
}

}  // namespace
}  // namespace vit
