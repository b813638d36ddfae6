// SPDX-License-Identifier: Apache-2.0
#include "runtime/io/hub_cache.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "ops/core/error.h"
#include "runtime/io/model_folder.h"
#include "runtime/model.h"
#include "tests/catch.h"
#include "tests/io/bytes.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

/// Sets variables, and puts back what was there.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& wanted) {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
      const char* const value = std::getenv(name);
      before_[name] = value == nullptr ? std::optional<std::string>() : value;
      const auto found = wanted.find(name);
      set(name, found == wanted.end() ? std::optional<std::string>() : found->second);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const auto& [name, value] : before_) set(name, value);
  }

 private:
  static void set(const std::string& name, const std::optional<std::string>& value) {
    if (value) {
      setenv(name.c_str(), value->c_str(), 1);
    } else {
      unsetenv(name.c_str());
    }
  }
  std::map<std::string, std::optional<std::string>> before_;
};

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// A cache as huggingface_hub makes it: files in blobs, links to them in the snapshot. Answers the entry's folder.
fs::path write_entry(const fs::path& cache) {
  const fs::path root = cache / "models--org--some.model";
  write(root / "refs/main", "0123abcd\n");
  write(root / "blobs/w", safetensors_file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", std::string(4, '\0')));
  write(root / "blobs/c", "{}");
  const fs::path snapshot = root / "snapshots/0123abcd";
  fs::create_directories(snapshot);
  fs::create_symlink("../../blobs/w", snapshot / "model.safetensors");
  fs::create_symlink("../../blobs/c", snapshot / "config.json");
  return root;
}

std::string refusal(const std::string& name) {
  try {
    open_model_files(name, ModelOptions{});
    return "";
  } catch (const Error& error) {
    return error.code() == Code::kModel ? error.what() : "not a model's error";
  }
}

TEST_CASE("the cache's folder is huggingface_hub's", "[io]") {
  using Variables = std::map<std::string, std::string>;
  const auto folder = [](const Variables& variables) {
    const Environment environment(variables);
    return hub_cache_folder();
  };
  Variables variables{{"HOME", "/h"}};
  CHECK(folder({}) == "");
  CHECK(folder(variables) == "/h/.cache/huggingface/hub");
  variables["XDG_CACHE_HOME"] = "/x";
  CHECK(folder(variables) == "/x/huggingface/hub");
  variables["HF_HOME"] = "/f";
  CHECK(folder(variables) == "/f/hub");
  variables["HUGGINGFACE_HUB_CACHE"] = "/old";
  CHECK(folder(variables) == "/old");
  variables["HF_HUB_CACHE"] = "/new";
  CHECK(folder(variables) == "/new");
  variables["HF_HUB_CACHE"] = "";
  CHECK(folder(variables) == "/old");
}

TEST_CASE("only org/name is a name on the hub", "[io]") {
  for (const char* name : {"google/vit-base-patch16-224", "a/b", "A_1/b.c-d"}) CHECK(is_hub_name(name));
  for (const char* name : {"", "vit", "/a", "a/", "a/b/c", "./a", "../a", "a/..", "a/.b", "a/b c", "a\\b/c", "a/b\n"})
    CHECK_FALSE(is_hub_name(name));
}

TEST_CASE("a model is opened by its name, through the cache's own links", "[io]") {
  const TempFolder folder;
  const Environment environment({{"HF_HUB_CACHE", folder.path()}});
  const fs::path root = write_entry(folder.path());
  CHECK(refusal("org/some.model") == "");

  SECTION("not through links that leave the entry") {
    const char* const file = GENERATE("config.json", "model.safetensors");
    const fs::path link = root / "snapshots/0123abcd" / file, outside = fs::path(folder.path()) / "outside";
    fs::copy_file(fs::canonical(link), outside);
    fs::remove(link);
    fs::create_symlink(outside, link);
    CHECK(refusal("org/some.model").find("a link that leads out of it") != std::string::npos);
  }
  SECTION("not without refs/main") {
    fs::remove(root / "refs/main");
    CHECK(refusal("org/some.model").find("refs/main: expected the revision of org/some.model") != std::string::npos);
  }
  SECTION("not where refs/main leads nowhere") {
    const char* const revision = GENERATE("", "../..", "..", "ffff", "/etc");
    write(root / "refs/main", revision);
    CHECK(refusal("org/some.model").find("expected the") != std::string::npos);
  }
}

TEST_CASE("a model that the cache does not hold is refused with where was looked", "[io]") {
  const TempFolder folder;
  const Environment environment({{"HF_HOME", folder.path()}});
  const std::string sentence = refusal("org/other");
  CHECK(sentence.find("org/other: expected") == 0);
  CHECK(sentence.find(folder.path() + "/hub/models--org--other") != std::string::npos);
  CHECK(sentence.find("nothing is downloaded") != std::string::npos);
}

}  // namespace
}  // namespace vit
