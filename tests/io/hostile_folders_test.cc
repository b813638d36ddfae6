// SPDX-License-Identifier: Apache-2.0
// Folders whose index, configuration, cache entry or links are wrong in one place each.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "ops/core/error.h"
#include "ops/core/file.h"
#include "runtime/image/recipe.h"
#include "runtime/io/model_folder.h"
#include "runtime/model.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/io/bytes.h"
#include "tests/support/tally.h"
#include "tests/support/wrong_bytes.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

/// Runs `attempt`; it succeeds, or an Error of the model's kind refuses in one sentence.
template <class Attempt>
void attempt_in(Tally& tally, const std::string& bytes, Attempt attempt) {
  if (!tally.is_new(bytes)) return;
  tally.attempt(Code::kModel, (int64_t{1} << 20) + 256 * static_cast<int64_t>(bytes.size()), attempt);
}

const std::string kCharacters("\"{}[],:09-.\\\n\x80\0e /", 18);

Files sharded_model() {
  return {{"config.json", "{}"},
          {"model.safetensors.index.json",
           R"({"metadata":{"total_size":24},"weight_map":{"a":"m-1-of-2.safetensors","b":"m-2-of-2.safetensors"}})"},
          {"m-1-of-2.safetensors", safetensors_file(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", zeros(16))},
          {"m-2-of-2.safetensors", safetensors_file(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8))}};
}

void open_in_memory(const Files& files) {
  std::vector<NamedBytes> named;
  for (const auto& [name, text] : files) named.push_back({name, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}});
  open_model_files("m", named, ModelOptions{});
}

TEST_CASE("an index of shards that is wrong in one place is taken or refused", "[io][hostile]") {
  Tally tally("indexes of sharded models");
  const Files whole = sharded_model();
  const std::string index = "model.safetensors.index.json";
  const auto attempt = [&](const std::string& text) {
    Files files = whole;
    files[index] = text;
    attempt_in(tally, text, [&] { open_in_memory(files); });
  };
  attempt(whole.at(index));
  each_byte_wrong(whole.at(index), kCharacters, attempt);
  const Json good = Json::parse(whole.at(index));
  const Json odd[] = {nullptr, true, 0, -1, 0.5, "", Json::array(), {"a"}, Json::object(), {{"a", "b"}}};
  for (const char* tensor : {"a", "b", "c", "", "__metadata__"}) {
    for (const std::string shard :
         {"m-1-of-2.safetensors", "m-2-of-2.safetensors", "m-3-of-2.safetensors", "config.json", "model.safetensors.index.json",
          "../m-1-of-2.safetensors", "./m-1-of-2.safetensors", "/etc/passwd", "C:\\x", "..", ".", "", "m-1-of-2.safetensors/",
          "m-1-of-2.safetensors\n", "\x1b[2J", "a\\b", "//", "~", "-"}) {
      Json changed = good;
      changed["weight_map"][tensor] = shard;
      attempt(changed.dump());
    }
    for (const Json& value : odd) {
      Json changed = good;
      changed["weight_map"][tensor] = value;
      attempt(changed.dump());
    }
    Json changed = good;
    changed["weight_map"].erase(tensor);
    attempt(changed.dump());
    changed = good;
    changed["weight_map"][tensor] = std::string(100'000, 's');
    attempt(changed.dump());
  }
  for (const char* key : {"metadata", "weight_map", "more"})
    for (const Json& value : odd) {
      Json changed = good;
      changed[key] = value;
      attempt(changed.dump());
    }
  // The shards themselves, behind a good index.
  for (const std::string shard : {"m-1-of-2.safetensors", "m-2-of-2.safetensors"}) {
    const auto broken = [&](const std::string& text) {
      Files files = whole;
      files[shard] = text;
      attempt_in(tally, shard + text, [&] { open_in_memory(files); });
    };
    each_byte_wrong(whole.at(shard), kCharacters, broken);
    for (const auto& [name, text] : whole) broken(text);
  }
  CHECK(tally.cases() > 5000);
  CHECK(tally.taken_cases() > 100);
}

/// Every field that each kind of image processor knows.
std::vector<std::string> preprocessors() {
  const std::string common =
      R"("do_resize":true,"resample":3,"do_rescale":true,"rescale_factor":0.00392156862745098,"do_normalize":true,)"
      R"("image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225],"do_convert_rgb":true,"do_pad":false,)"
      R"("default_to_square":false,"do_center_crop":true,"crop_size":{"height":8,"width":6},)";
  return {"{" + common + R"("image_processor_type":"ViTImageProcessor","size":{"height":8,"width":8}})",
          "{" + common + R"("image_processor_type":"BitImageProcessor","size":{"shortest_edge":9}})",
          "{" + common + R"("feature_extractor_type":"DeiTFeatureExtractor","size":[10,12]})",
          "{" + common + R"("image_processor_type":"ViTImageProcessorFast","size":{"shortest_edge":9,"longest_edge":20}})",
          "{" + common + R"("image_processor_type":"BitImageProcessorFast","size":{"max_height":9,"max_width":20}})"};
}

TEST_CASE("a preprocessor configuration that is wrong in one place is taken or refused", "[io][hostile]") {
  Tally tally("preprocessor configurations");
  const auto attempt = [&](const std::string& text) {
    attempt_in(tally, text, [&] {
      const JsonDocument json = parse_json(text, "preprocessor_config.json");
      const Recipe recipe = recipe_from_preprocessor(json, "preprocessor_config.json", "vit");
      if (const auto size = recipe.fixed_size(); size && std::max(size->height, size->width) > kMaxRecipeSide)
        FAIL_CHECK("a size of " << size->height << " x " << size->width);
    });
  };
  constexpr const char* kEdges[] = {"null",
                                    "true",
                                    "false",
                                    "-1",
                                    "0",
                                    "1",
                                    "2",
                                    "5",
                                    "6",
                                    "8192",
                                    "8193",
                                    "2147483647",
                                    "2147483648",
                                    "4294967296",
                                    "9223372036854775807",
                                    "9223372036854775808",
                                    "-9223372036854775808",
                                    "18446744073709551616",
                                    "0.5",
                                    "-0.5",
                                    "1e-30",
                                    "1e30",
                                    "1e308",
                                    "\"\"",
                                    "\"224\"",
                                    "\"ViTImageProcessor\"",
                                    "\"CLIPImageProcessor\"",
                                    "[]",
                                    "[0]",
                                    "[8]",
                                    "[8,6]",
                                    "[8,-6]",
                                    "[1,2,3]",
                                    "[0,0,0]",
                                    "[1,2,3,4]",
                                    "[1,\"2\",3]",
                                    "[null,1,1]",
                                    "{}",
                                    "{\"height\":8}",
                                    "{\"height\":8,\"width\":0}",
                                    "{\"height\":8193,\"width\":1}",
                                    "{\"shortest_edge\":0}",
                                    "{\"shortest_edge\":1}",
                                    "{\"longest_edge\":7}",
                                    "{\"shortest_edge\":9,\"longest_edge\":1}",
                                    "{\"max_height\":1,\"max_width\":1}",
                                    "{\"height\":8,\"width\":8,\"depth\":8}"};
  for (const std::string& text : preprocessors()) {
    attempt(text);
    const Json good = Json::parse(text);
    const Json flat = good.flatten();
    std::vector<std::string> pointers;
    for (const auto& [pointer, value] : flat.items()) pointers.push_back(pointer);
    for (const auto& [key, value] : good.items()) pointers.push_back("/" + key);
    for (const std::string& pointer : pointers)
      for (const char* edge : kEdges) {
        Json changed = good;
        changed[Json::json_pointer(pointer)] = Json::parse(edge);
        attempt(changed.dump());
      }
    for (const auto& [key, value] : good.items()) {
      Json changed = good;
      changed.erase(key);
      attempt(changed.dump());
    }
  }
  each_byte_wrong(preprocessors()[0], kCharacters, attempt);
  CHECK(tally.cases() > 10'000);
  CHECK(tally.taken_cases() > 1000);
}

TEST_CASE("a configuration with one other byte, or cut after it, opens or is refused", "[io][hostile]") {
  Tally tally("bytes of configurations");
  for (const std::string name : {"vit-rectangle", "timm-parallel"}) {
    const std::string folder = std::string(VIT_SOURCE_DIR) + "/tests/fixtures/models/" + name + "/";
    const auto read = [&](const std::string& file) {
      const std::vector<uint8_t> bytes = read_file(folder + file, uint64_t{1} << 24);
      return std::string(bytes.begin(), bytes.end());
    };
    const std::string weights = read("model.safetensors"), config = read("config.json");
    const std::string characters("\"{}[,:09-\x80", 11);
    const auto attempt = [&](const std::string& text) {
      attempt_in(tally, text, [&] {
        const auto bytes = [](const std::string& s) { return Bytes(reinterpret_cast<const uint8_t*>(s.data()), s.size()); };
        Model::open("m", {{"config.json", bytes(text)}, {"model.safetensors", bytes(weights)}}, ModelOptions{});
      });
    };
    for (size_t at = 0; at < config.size(); ++at) {
      attempt(config.substr(0, at));
      for (const char c : characters) attempt(std::string(config).replace(at, 1, 1, c));
    }
  }
  CHECK(tally.cases() > 5000);
  CHECK(tally.taken_cases() > 1000);
}

/// A cache entry with one thing wrong in it.
struct WrongEntry {
  const char* what;
  void (*spoil)(const fs::path& root, const fs::path& snapshot);
};

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

const WrongEntry kWrongEntries[] = {
    {"no refs", [](const fs::path& root, const fs::path&) { fs::remove_all(root / "refs"); }},
    {"refs is a file", [](const fs::path& root, const fs::path&) { fs::remove_all(root / "refs"), write(root / "refs", "abc"); }},
    {"refs/main is a folder",
     [](const fs::path& root, const fs::path&) { fs::remove(root / "refs/main"), fs::create_directory(root / "refs/main"); }},
    {"refs/main is a loop of links",
     [](const fs::path& root, const fs::path&) {
       fs::remove(root / "refs/main"), fs::create_symlink("main", root / "refs/main");
     }},
    {"refs/main cannot be followed",
     [](const fs::path& root, const fs::path&) {
       fs::remove(root / "refs/main"), fs::create_symlink("/nowhere", root / "refs/main");
     }},
    {"refs/main is huge", [](const fs::path& root, const fs::path&) { write(root / "refs/main", std::string(1 << 20, 'a')); }},
    {"no snapshots", [](const fs::path& root, const fs::path&) { fs::remove_all(root / "snapshots"); }},
    {"the snapshot is a file", [](const fs::path&, const fs::path& at) { fs::remove_all(at), write(at, "x"); }},
    {"the snapshot is empty", [](const fs::path&, const fs::path& at) { fs::remove_all(at), fs::create_directory(at); }},
    {"a blob is missing", [](const fs::path& root, const fs::path&) { fs::remove(root / "blobs/w"); }},
    {"a blob is a folder",
     [](const fs::path& root, const fs::path&) { fs::remove(root / "blobs/w"), fs::create_directory(root / "blobs/w"); }},
    {"a blob is empty", [](const fs::path& root, const fs::path&) { write(root / "blobs/w", ""); }},
    {"a link leads to itself",
     [](const fs::path&, const fs::path& at) {
       fs::remove(at / "config.json"), fs::create_symlink("config.json", at / "config.json");
     }},
    {"a link leads out by ..",
     [](const fs::path&, const fs::path& at) {
       fs::remove(at / "config.json"), fs::create_symlink("../../../../../../etc/passwd", at / "config.json");
     }},
    {"a link leads to a device",
     [](const fs::path&, const fs::path& at) {
       fs::remove(at / "config.json"), fs::create_symlink("/dev/zero", at / "config.json");
     }},
    {"the configuration is a folder",
     [](const fs::path&, const fs::path& at) { fs::remove(at / "config.json"), fs::create_directory(at / "config.json"); }},
    {"the snapshot is a link out of the cache",
     [](const fs::path& root, const fs::path& at) {
       fs::remove_all(at), fs::create_directories(root.parent_path() / "elsewhere"),
           fs::create_symlink(root.parent_path() / "elsewhere", at);
     }},
};

class HubCache {
 public:
  explicit HubCache(const std::string& folder) {
    if (const char* const value = std::getenv("HF_HUB_CACHE")) before_ = value;
    setenv("HF_HUB_CACHE", folder.c_str(), 1);
  }
  HubCache(const HubCache&) = delete;
  HubCache& operator=(const HubCache&) = delete;
  ~HubCache() { before_.empty() ? unsetenv("HF_HUB_CACHE") : setenv("HF_HUB_CACHE", before_.c_str(), 1); }

 private:
  std::string before_;
};

fs::path write_entry(const fs::path& cache) {
  const fs::path root = cache / "models--org--m", snapshot = root / "snapshots/abc";
  fs::remove_all(root);
  write(root / "refs/main", "abc");
  write(root / "blobs/w", safetensors_file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", zeros(4)));
  write(root / "blobs/c", "{}");
  fs::create_directories(snapshot);
  fs::create_symlink("../../blobs/w", snapshot / "model.safetensors");
  fs::create_symlink("../../blobs/c", snapshot / "config.json");
  return root;
}

TEST_CASE("a cache entry that is wrong in one place is refused", "[io][hostile]") {
  Tally tally("entries of the Hugging Face cache");
  const TempFolder folder;
  const HubCache cache(folder.path());
  const auto attempt = [&](const std::string& what) {
    attempt_in(tally, what, [] { open_model_files("org/m", ModelOptions{}); });
  };
  for (const WrongEntry& wrong : kWrongEntries) {
    CAPTURE(wrong.what);
    const fs::path root = write_entry(folder.path());
    wrong.spoil(root, root / "snapshots/abc");
    attempt(wrong.what);
  }
  CHECK(tally.cases() == std::size(kWrongEntries));
  CHECK(tally.taken_cases() == 0);
  const fs::path root = write_entry(folder.path());
  for (const std::string revision :
       {"abc",      "abc\n", " abc", "ABC",   "abc/", "./abc", "../snapshots/abc", "..", ".", "", "\n", "/etc", "ab", "abcd",
        "abc\nabc", "abc\\", "~",    "$HOME", "*",    "%61bc"}) {
    write(root / "refs/main", revision);
    attempt("refs/main: " + revision);
  }
  for (int byte = 0; byte < 256; ++byte)
    for (const size_t at : {0, 1, 3}) {
      std::string revision = "abc";
      revision.insert(at, 1, static_cast<char>(byte));
      write(root / "refs/main", revision);
      attempt("refs/main: " + revision);
    }
  CHECK(tally.taken_cases() < 10);  // what follows the name may be a line end or blanks
}

}  // namespace
}  // namespace vit
