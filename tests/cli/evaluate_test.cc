// SPDX-License-Identifier: Apache-2.0
// evaluate: figures against a computation of the test's own, folders against labels, and what happens when some of it is bad.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/npy_files.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"

using namespace vit;
using nlohmann::json;

namespace {

using Words = std::vector<std::string>;

ProcessResult evaluate(Words arguments, const ProcessInput& input = {}) {
  arguments.insert(arguments.begin(), {"evaluate", "-m", demonstration_folder()});
  return infer(arguments, input);
}

json summary(Words arguments) {
  arguments.insert(arguments.end(), {"--format", "json"});
  return json::parse(evaluate(arguments).out);
}

std::vector<json> rows(const ProcessResult& result) {
  std::vector<json> rows;
  for (const std::string& line : lines_of(result.out)) rows.push_back(json::parse(line));
  return rows;
}

std::string small_picture(uint32_t seed) { return ppm(picture(13, 11, seed), 13, 11); }

/// The label that the demonstration model gives a picture in float32, of rank `rank` from 1.
std::string label_of(const std::string& bytes, size_t rank) {
  const TempFolder folder;
  const auto labels = json::parse(infer({"--format", "json", "--top-k", "10", folder.write("x.ppm", bytes)}).out)[0]["labels"];
  return labels.at(rank - 1).at("label");
}

/// Pictures 0 to ranks.size() - 1, each in the folder of the label to which the model gives that rank.
void write_ranked(const TempFolder& folder, const std::vector<size_t>& ranks) {
  for (uint32_t i = 0; i < ranks.size(); ++i)
    folder.write(label_of(small_picture(i), ranks[i]) + "/" + std::to_string(i) + ".ppm", small_picture(i));
}

std::vector<double> softmax(const float* logits, size_t count) {
  std::vector<double> p;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i]));
  for (size_t i = 0; i < count; ++i) p.push_back(std::exp(static_cast<double>(logits[i])) / sum);
  return p;
}

}  // namespace

TEST_CASE("evaluate counts first and first five labels, with Wilson's intervals", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 1, 1, 5, 6});
  const json found = summary({folder.path()});
  CHECK(found.at("images") == 5);
  CHECK(found.at("top1") == 0.6);
  CHECK(found.at("top5") == 0.8);
  // In float32 the comparison is with itself.
  CHECK(found.at("agreement") == 1);
  CHECK(found.at("cosine") == 1);
  CHECK(found.at("kl") == 0);
  // By hand, n = 5, z² = 3.841459: (p + z²/10 ± z √(p(1-p)/5 + z²/100)) / (1 + z²/5); given with six digits.
  // p = 3/5: (0.984146 ± 1.959964 · 0.293964) / 1.768292. p = 4/5: (1.184146 ± 1.959964 · 0.265357) / 1.768292.
  CHECK(std::abs(found["top1_interval"][0].get<double>() - 0.230724) < 2e-6);
  CHECK(std::abs(found["top1_interval"][1].get<double>() - 0.882379) < 2e-6);
  CHECK(std::abs(found["top5_interval"][0].get<double>() - 0.375535) < 2e-6);
  CHECK(std::abs(found["top5_interval"][1].get<double>() - 0.963776) < 2e-6);

  const TempFolder one;
  write_ranked(one, {6});
  // p = 0, n = 1: 0 to z² / (1 + z²).
  CHECK(summary({one.path()})["top5_interval"][0] == 0);
  CHECK(std::abs(summary({one.path()})["top5_interval"][1].get<double>() - 0.793451) < 2e-6);

  const ProcessResult text = evaluate({folder.path()});
  CHECK(text.status == 0);
  CHECK(text.err.empty());
  CHECK(text.out.find("60.0 %   (23.1 to 88.2 %") != std::string::npos);
  CHECK(text.out.find("cosine") == std::string::npos);
}

TEST_CASE("evaluate has a row for each image, in the order of the folders", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 4, 10, 2});
  const auto found = rows(evaluate({folder.path(), "--format", "jsonl"}));
  REQUIRE(found.size() == 4);
  Words paths;
  for (const json& row : found) {
    const std::string path = row.at("path");
    CAPTURE(path);
    paths.push_back(path);
    const auto labels = json::parse(infer({"--format", "json", "--top-k", "10", path}).out)[0]["labels"];
    CHECK(row.at("label") == std::filesystem::path(path).parent_path().filename().string());
    CHECK(row.at("predicted") == labels[0]["label"]);
    CHECK(row.at("probability") == labels[0]["probability"]);
    CHECK(labels.at(row.at("rank").get<size_t>() - 1)["label"] == row.at("label"));
    CHECK(row.at("agree") == true);
  }
  CHECK(std::is_sorted(paths.begin(), paths.end()));
}

TEST_CASE("evaluate compares a precision with float32 as its definitions say", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 2, 3, 1, 1, 5, 1});
  for (const std::string precision : {"bf16", "int8"}) {
    CAPTURE(precision);
    const auto found = rows(evaluate({folder.path(), "--format", "jsonl", "--precision", precision}));
    REQUIRE(found.size() == 7);
    Words f32{"--format", "npy", "-o", folder.path("f32.npy")},
        low{"--format", "npy", "-o", folder.path("low.npy"), "--precision", precision};
    for (const json& row : found)
      for (Words* words : {&f32, &low}) words->push_back(row.at("path"));
    REQUIRE(infer(f32).status == 0);
    REQUIRE(infer(low).status == 0);
    const Npy reference = read_npy(folder.path("f32.npy")), ours = read_npy(folder.path("low.npy"));

    double cosines = 0, divergences = 0, agreeing = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      const float *a = &reference.values[10 * i], *b = &ours.values[10 * i];
      double ab = 0, aa = 0, bb = 0, kl = 0;
      const std::vector<double> p = softmax(a, 10), q = softmax(b, 10);
      for (size_t k = 0; k < 10; ++k) {
        ab += double{a[k]} * b[k], aa += double{a[k]} * a[k], bb += double{b[k]} * b[k];
        kl += p[k] * std::log(p[k] / q[k]);
      }
      const bool agree = std::max_element(a, a + 10) - a == std::max_element(b, b + 10) - b;
      // Both sides compute in double from the same float32 logits; ten terms of size one leave 1e-14.
      CHECK(std::abs(found[i].at("cosine").get<double>() - ab / std::sqrt(aa * bb)) < 1e-13);
      CHECK(std::abs(found[i].at("kl").get<double>() - kl) < 1e-13);
      CHECK(found[i].at("kl") > 0);
      CHECK(found[i].at("agree") == agree);
      cosines += ab / std::sqrt(aa * bb), divergences += kl, agreeing += agree;
    }
    const json all = summary({folder.path(), "--precision", precision});
    CHECK(std::abs(all.at("cosine").get<double>() - cosines / 7) < 1e-13);
    CHECK(std::abs(all.at("kl").get<double>() - divergences / 7) < 1e-13);
    CHECK(std::abs(all.at("agreement").get<double>() - agreeing / 7) < 1e-13);
    CHECK(all.at("cosine") < 1);
    CHECK(all.at("precision") == precision);
    CHECK(evaluate({folder.path(), "--precision", precision}).out.find("KL") != std::string::npos);
  }
}

TEST_CASE("evaluate gives the same bytes for every batch and number of threads", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 2, 3, 1, 7});
  folder.write("cat/bad.png", "no picture");
  for (const std::string format : {"json", "jsonl"}) {
    const ProcessResult one = evaluate({folder.path(), "--format", format, "--precision", "int8", "--threads", "1"});
    CHECK(one.status == 1);
    for (const std::string batch : {"2", "3", "100"}) {
      const ProcessResult many =
          evaluate({folder.path(), "--format", format, "--precision", "int8", "--threads", "3", "--batch", batch});
      CHECK(many.out == one.out);
      CHECK(many.err == one.err);
    }
  }
}

TEST_CASE("a folder whose name is no label is named, and passed over on request", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 1});
  folder.write("unicorn\x1b/1.ppm", small_picture(1));
  folder.write(".cache/1.ppm", small_picture(1));
  folder.write("notes.txt", "beside the folders");
  const ProcessResult refused = evaluate({folder.path()});
  CHECK(refused.status == 2);
  CHECK(refused.out.empty());
  CHECK(lines_of(refused.err).size() == 1);
  CHECK(is_clean_text(refused.err));
  CHECK(refused.err.find("unicorn\\x1b is no label") != std::string::npos);
  CHECK(refused.err.find("--skip-unknown") != std::string::npos);
  CHECK(refused.err.find(".cache") == std::string::npos);

  const ProcessResult passed = evaluate({folder.path(), "--skip-unknown", "--format", "json"});
  CHECK(passed.status == 0);
  CHECK(json::parse(passed.out).at("images") == 2);
  CHECK(lines_of(passed.err).size() == 1);
  CHECK(passed.err.find("unicorn") != std::string::npos);
  CHECK(evaluate({folder.path(), "--skip-unknown", "--quiet"}).err.empty());

  const TempFolder none;
  for (const char* name : {"n01440764", "n01443537", "n01484850", "n01491361", "n01494475"})
    std::filesystem::create_directory(none.path(name));
  for (const Words& more : {Words{}, {"--skip-unknown"}}) {
    Words arguments{none.path()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult ids = evaluate(arguments);
    CHECK(ids.status == 2);
    CHECK(ids.err.find("n01440764, n01443537, n01484850 and 2 others are no labels") != std::string::npos);
    CHECK(ids.err.find("WordNet") != std::string::npos);
    CHECK(ids.err.find("--labels") != std::string::npos);
  }
}

TEST_CASE("a folder is named by a label, by its first synonym or by its index", "[cli]") {
  const TempFolder folder;
  const auto truth_of = [&](const std::string& name, const std::string& labels) -> std::string {
    const TempFolder images;
    images.write(name + "/1.ppm", small_picture(1));
    const ProcessResult result = evaluate({images.path(), "--format", "jsonl", "--labels", folder.write("labels", labels)});
    return result.status == 0 ? rows(result).at(0).at("label").get<std::string>() : result.err;
  };
  const std::string names = "tench, Tinca tinca\ngoldfish\ncrane\nd\ncrane\nmaillot\nmaillot, tank suit\nh\ni\nj\n";
  CHECK(truth_of("tench, Tinca tinca", names) == "tench, Tinca tinca");
  CHECK(truth_of("tench", names) == "tench, Tinca tinca");
  CHECK(truth_of("maillot", names) == "maillot");
  CHECK(truth_of("maillot, tank suit", names) == "maillot, tank suit");
  CHECK(truth_of("3", names) == "d");
  CHECK(truth_of("0007", names) == "h");
  CHECK(truth_of("10", names).find("10 is no label") != std::string::npos);
  CHECK(truth_of("Tinca tinca", names).find("is no label") != std::string::npos);
  CHECK(truth_of("crane", names).find("two labels of the model have this name, 2 and 4") != std::string::npos);
  // Labels that are numbers are names, and none is an index.
  const std::string numbers = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
  CHECK(truth_of("1", numbers) == "1");
  CHECK(truth_of("0", numbers).find("0 is no label") != std::string::npos);
  const std::string ids = "n01440764\nn01443537\nn01484850\nn01491361\nn01494475\nf\ng\nh\ni\nj\n";
  CHECK(truth_of("n01491361", ids) == "n01491361");
}

TEST_CASE("images that fail and folders without images are told of and counted", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 1});
  folder.write("cat/bad.png", "no picture");
  folder.write("deer/deep/1.ppm", small_picture(2));
  std::filesystem::create_directory(folder.path("truck"));
  const ProcessResult result = evaluate({folder.path(), "--format", "json"});
  CHECK(result.status == 1);
  CHECK(lines_of(result.err).size() == 3);
  for (const char* name : {"cat/bad.png: ", "deer: the folder has no image files; --recursive", "truck: the folder has no image"})
    CHECK(result.err.find(folder.path(name)) != std::string::npos);
  const json found = json::parse(result.out);
  CHECK(found.at("images") == 2);
  CHECK(found.at("top1") == 1);
  CHECK(found.at("failed") == 3);
  CHECK(summary({folder.path(), "--recursive"}).at("images") == 3);
  const auto each = rows(evaluate({folder.path(), "--format", "jsonl"}));
  CHECK(std::count_if(each.begin(), each.end(), [](const json& row) { return row.contains("error"); }) == 3);

  const ProcessResult stopped = evaluate({folder.path(), "--max-errors", "2", "--format", "json"});
  CHECK(stopped.status == 1);
  CHECK(json::parse(stopped.out).at("failed") == 2);
  CHECK(evaluate({folder.path(), "--on-error", "stop", "--quiet"}).err.find("truck") == std::string::npos);

  const TempFolder bad;
  bad.write("cat/bad.png", "no picture");
  const ProcessResult all = evaluate({bad.path(), "--format", "json"});
  CHECK(all.status == 5);
  CHECK(json::parse(all.out).at("images") == 0);
  CHECK(json::parse(all.out).at("top1").is_null());
  CHECK(evaluate({bad.path()}).status == 5);
}

TEST_CASE("evaluate refuses what is no folder of label folders", "[cli]") {
  const TempFolder folder;
  folder.write("1.ppm", small_picture(1));
  for (const std::string& path : {folder.path(), folder.path("1.ppm"), folder.path("missing")}) {
    const ProcessResult result = evaluate({path});
    CAPTURE(result.err);
    CHECK(result.status == 5);
    CHECK(result.out.empty());
    CHECK(lines_of(result.err).size() == 1);
    CHECK(result.err.find(path) != std::string::npos);
  }
  CHECK(evaluate({}).status == 2);
  CHECK(evaluate({folder.path(), folder.path()}).status == 2);
  CHECK(evaluate({folder.path(), "--format", "csv"}).status == 2);
  CHECK(evaluate({folder.path(), "-m", folder.path("missing")}).status == 3);
}

TEST_CASE("evaluate ends quietly where nobody reads, and with 4 where nothing can be written", "[cli]") {
  const TempFolder folder;
  write_ranked(folder, {1, 1, 1});
  for (const std::string format : {"text", "json", "jsonl"}) {
    CAPTURE(format);
    const ProcessResult closed = evaluate({folder.path(), "--format", format}, {.closed_pipe = true});
    CHECK((closed.status == 0 || closed.status == 4 || closed.status == 128 + SIGPIPE));
    CHECK(lines_of(closed.err).size() <= 1);
    CHECK(evaluate({folder.path(), "--format", format}, {.out_path = "/dev/full"}).status == 4);
  }
  CHECK(evaluate({folder.path(), "-o", folder.path("missing/out")}).status == 4);
}
