// SPDX-License-Identifier: Apache-2.0
// From a path to a model's files: folders, single files, shards, links, caches, memory.
#include "runtime/io/model_folder.h"

#include <sys/stat.h>

#include <filesystem>

#include "ops/core/error.h"
#include "runtime/io/file_source.h"
#include "runtime/model.h"
#include "tests/catch.h"
#include "tests/io/bytes.h"
#include "tests/temp_folder.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

/// A file with one tensor of one byte for each letter of `names`.
std::string weights_of(const std::string& names, const std::string& metadata = "") {
  std::string header = metadata;
  for (size_t i = 0; i < names.size(); ++i)
    header +=
        str(header.empty() ? "" : ",", '"', names[i], R"(":{"dtype":"U8","shape":[1],"data_offsets":[)", i, ",", i + 1, "]}");
  return safetensors_file("{" + header + "}", names);
}

std::string index_of(const std::vector<std::pair<std::string, std::string>>& map) {
  std::string text;
  for (const auto& [tensor, file] : map) text += (text.empty() ? "\"" : ",\"") + tensor + "\":\"" + file + "\"";
  return R"({"metadata":{"total_size":7},"weight_map":{)" + text + "}}";
}

/// The sentence without the temporary folder's name; "accepted" when there is none.
std::string refusal(const TempFolder& folder, const std::string& path) {
  try {
    open_model_files(path, ModelOptions{});
  } catch (const Error& error) {
    CHECK(error.code() == Code::kModel);
    std::string sentence = error.what();
    for (size_t at; (at = sentence.find(folder.path())) != std::string::npos;) sentence.replace(at, folder.path().size(), "DIR");
    return sentence;
  }
  return "accepted";
}

std::string names_in(const ModelFiles& files) {
  std::string names;
  for (const auto& [name, tensor] : files.weights->tensors()) names += name;
  return names;
}

TEST_CASE("a folder gives its weights, configuration and preparation", "[io]") {
  const TempFolder folder;
  folder.write("m/model.safetensors", weights_of("ab", R"("__metadata__":{"format":"pt"})"));
  folder.write("m/config.json", "{\"a\":1}");
  folder.write("m/other.safetensors", "not looked at");
  for (const std::string& path : {folder.path("m"), folder.path("m/"), folder.path("m/model.safetensors")}) {
    CAPTURE(path);
    const ModelFiles files = open_model_files(path, ModelOptions{});
    CHECK(names_in(files) == "ab");
    CHECK(files.weights->tensors().at("b").bytes[0] == 'b');
    CHECK(files.weights->tensors().at("b").file == "model.safetensors");
    CHECK(files.metadata.at("format") == "pt");
    CHECK(files.config.text == "{\"a\":1}");
    CHECK(fs::equivalent(files.config.path, folder.path("m/config.json")));
    CHECK_FALSE(files.preprocessor);
  }
  folder.write("m/preprocessor_config.json", "{}");
  CHECK(open_model_files(folder.path("m"), ModelOptions{}).preprocessor.text == "{}");
}

TEST_CASE("the only safetensors file of a folder is its weights", "[io]") {
  const TempFolder folder;
  folder.write("config.json", "{}");
  folder.write("pytorch_model.bin", "PK");
  folder.write("mine.safetensors", weights_of("x"));
  CHECK(names_in(open_model_files(folder.path(), ModelOptions{})) == "x");
  folder.write("other.safetensors", weights_of("y"));
  CHECK(refusal(folder, folder.path()) == "DIR: expected one safetensors file, found mine.safetensors, other.safetensors");
}

TEST_CASE("a path that leads to no model is refused in one sentence", "[io]") {
  const TempFolder folder;
  const std::string good = weights_of("a");
  SECTION("absent") {
    CHECK(refusal(folder, folder.path("no")) == "DIR/no: expected a model folder or a safetensors file, found nothing there");
  }
  SECTION("empty name") { CHECK(refusal(folder, "").find("found nothing there") != std::string::npos); }
  SECTION("empty folder") {
    CHECK(refusal(folder, folder.path()) ==
          "DIR: expected a model folder with config.json and model.safetensors, found an empty folder");
  }
  SECTION("no weights") {
    folder.write("config.json", "{}");
    CHECK(refusal(folder, folder.path()) ==
          "DIR: expected a model folder with config.json and model.safetensors, found no weights in it");
  }
  SECTION("no configuration") {
    folder.write("model.safetensors", good);
    CHECK(refusal(folder, folder.path()) ==
          "DIR/config.json: expected the model's configuration beside model.safetensors, found no such file");
    CHECK(refusal(folder, folder.path("model.safetensors")).find("DIR/config.json: expected the model's configuration") == 0);
  }
  SECTION("a configuration") {
    CHECK(refusal(folder, folder.write("config.json", "{}")).find("found a configuration: name its folder") != std::string::npos);
  }
  SECTION("a pipe") {
    REQUIRE(mkfifo(folder.path("p").c_str(), 0600) == 0);
    CHECK(refusal(folder, folder.path("p")).find("found neither a folder nor a regular file") != std::string::npos);
  }
  SECTION("pipes inside the folder are not waited for") {
    folder.write("model.safetensors", good);
    REQUIRE(mkfifo(folder.path("config.json").c_str(), 0600) == 0);
    CHECK(refusal(folder, folder.path()).find("DIR/config.json: expected a file, found a pipe") == 0);
  }
  SECTION("folders instead of files") {
    folder.write("model.safetensors/x", good);
    CHECK(refusal(folder, folder.path()) == "DIR/model.safetensors: expected a regular file, found a directory");
  }
  SECTION("a configuration without end") {
    folder.write("model.safetensors", good);
    fs::create_symlink("/dev/zero", folder.path("config.json"));
    CHECK(refusal(folder, folder.path()) == "DIR/config.json: has more than 16777216 bytes, the limit");
  }
  SECTION("weights in TensorFlow's layout") {
    folder.write("model.safetensors", weights_of("a", R"("__metadata__":{"format":"tf"})"));
    CHECK(refusal(folder, folder.path()).find("expected weights in PyTorch's layout, its metadata says that they are 'tf'") !=
          std::string::npos);
  }
  SECTION("a whole cache entry") {
    folder.write("snapshots/abc/config.json", "{}");
    CHECK(refusal(folder, folder.path()).find("name one of the folders in its snapshots") != std::string::npos);
  }
}

TEST_CASE("other formats are refused by name, with what to do", "[io]") {
  const char* const name =
      GENERATE("pytorch_model.bin", "model.pth", "vit.npz", "flax_model.msgpack", "tf_model.h5", "model.onnx");
  const TempFolder folder;
  folder.write("config.json", "{}");
  folder.write(name, "some bytes that are nothing");
  for (const std::string& path : {folder.path(), folder.path(name)}) {
    const std::string sentence = refusal(folder, path);
    CAPTURE(sentence);
    CHECK(sentence.find(str("DIR/", name, ": expected ")) == 0);
    CHECK(sentence.find("save it again as safetensors") != std::string::npos);
  }
}

TEST_CASE("a safetensors file is read under any name that is given", "[io]") {
  const TempFolder folder;
  folder.write("config.json", "{}");
  CHECK(names_in(open_model_files(folder.write("weights.bin", weights_of("q")), ModelOptions{})) == "q");
}

TEST_CASE("the header limit is the caller's", "[io]") {
  const TempFolder folder;
  folder.write("config.json", "{}");
  folder.write("model.safetensors", weights_of("a"));
  ModelOptions options;
  options.max_header_bytes = 10;
  CHECK_THROWS_AS(open_model_files(folder.path(), options), Error);
}

constexpr char kA[] = "model-00001-of-00002.safetensors", kB[] = "model-00002-of-00002.safetensors",
               kIndex[] = "model.safetensors.index.json";

TEST_CASE("the shards of an index make one model", "[io]") {
  const TempFolder folder;
  folder.write("config.json", "{}");
  folder.write(kA, weights_of("ab", R"("__metadata__":{"format":"pt"})"));
  folder.write(kB, weights_of("c"));
  CHECK(refusal(folder, folder.path()).find(str("DIR: expected ", kIndex, " beside the shards, found ", kA, ", ", kB)) == 0);
  folder.write(kIndex, index_of({{"a", kA}, {"b", kA}, {"c", kB}}));
  for (const std::string& path : {folder.path(), folder.path(kIndex)}) {
    const ModelFiles files = open_model_files(path, ModelOptions{});
    CHECK(names_in(files) == "abc");
    CHECK(files.weights->tensors().at("c").file == kB);
    CHECK(files.weights->files().size() == 2);
    CHECK(files.metadata.at("format") == "pt");
  }
}

TEST_CASE("index and shards must agree both ways", "[io]") {
  const TempFolder folder;
  folder.write("config.json", "{}");
  folder.write(kA, weights_of("ab"));
  folder.write(kB, weights_of("c"));
  const auto check = [&](const std::string& index, const std::string& sentence) {
    folder.write(kIndex, index);
    CHECK(refusal(folder, folder.path()) == sentence);
  };
  check(index_of({{"a", kA}, {"b", kA}, {"c", kB}, {"d", kB}}),
        str("DIR/", kB, ": expected the tensor d (by ", kIndex, "), the file has no such tensor"));
  check(index_of({{"a", kA}, {"c", kB}}), str("DIR/", kA, ": tensor b: expected it in ", kIndex, ", found it here"));
  check(index_of({{"a", kA}, {"b", kB}, {"c", kB}}), str("DIR/", kA, ": tensor b: expected it in ", kB, ", found it here"));
  check(index_of({{"a", kA}, {"b", kA}, {"c", "model-3.safetensors"}}),
        str("DIR/model-3.safetensors: expected this file, which ", kIndex, " names, found none"));
  check(R"({"weight_map":{}})", str("DIR/", kIndex, ": weight_map: expected an object of file names, found an object"));
  check(R"({"metadata":{}})", str("DIR/", kIndex, ": weight_map: expected an object of file names, found no such field"));
  check(R"({"weight_map":{"a":7}})",
        str("DIR/", kIndex, ": weight_map: a: expected the plain name of a file in the same folder, found 7"));
  check("[]", str("DIR/", kIndex, ": expected a JSON object, found a list of 0"));
  check(R"({"weight_map":{"a":"x","a":"y"}})",
        str("DIR/", kIndex, ": expected valid JSON, found the key \"a\" a second time (line 1, byte 26)"));
  folder.write(kB, weights_of("bc"));
  check(index_of({{"a", kA}, {"b", kA}, {"c", kB}}), str("b: expected this tensor once, found it in ", kA, " and in ", kB));
}

TEST_CASE("an index names files of its own folder only", "[io]") {
  const TempFolder folder;
  folder.write("secret.safetensors", weights_of("a"));
  folder.write("m/config.json", "{}");
  folder.write("m/sub/inner.safetensors", weights_of("a"));
  SECTION("by their plain names") {
    for (const std::string name : {"../secret.safetensors", "sub/inner.safetensors", "..", ".", "", "C:x",
                                   "..\\\\secret.safetensors", "/etc/passwd", "a\\u0000b", "a\\nb"}) {
      CAPTURE(name);
      CHECK_FALSE(is_plain_name(name));
      folder.write(str("m/", kIndex), index_of({{"a", name}}));
      CHECK(refusal(folder, folder.path("m")).find("expected the plain name of a file in the same folder, found") !=
            std::string::npos);
    }
  }
  SECTION("and not by links that lead out of it") {
    folder.write(str("m/", kIndex), index_of({{"a", kA}}));
    fs::create_symlink("../secret.safetensors", folder.path(str("m/", kA)));
    CHECK(refusal(folder, folder.path("m")) ==
          str("DIR/m/", kA, ": expected a file of this folder, found a link that leads out of it"));
  }
  SECTION("nor through a folder that is a link") {
    fs::create_directory_symlink("..", folder.path("m/up"));
    folder.write(str("m/", kIndex), index_of({{"a", kA}}));
    fs::create_symlink("up/secret.safetensors", folder.path(str("m/", kA)));
    CHECK(refusal(folder, folder.path("m")).find("a link that leads out of it") != std::string::npos);
  }
  SECTION("links inside the folder are followed") {
    folder.write(str("m/", kIndex), index_of({{"a", kA}}));
    fs::create_symlink("sub/inner.safetensors", folder.path(str("m/", kA)));
    CHECK(refusal(folder, folder.path("m")) == "accepted");
    fs::create_directory_symlink("m", folder.path("linked"));
    CHECK(refusal(folder, folder.path("linked")) == "accepted");
  }
  SECTION("a folder whose name only begins alike is another one") {
    folder.write("m-secret/x.safetensors", weights_of("a"));
    folder.write(str("m/", kIndex), index_of({{"a", kA}}));
    fs::create_symlink("../m-secret/x.safetensors", folder.path(str("m/", kA)));
    CHECK(refusal(folder, folder.path("m")).find("a link that leads out of it") != std::string::npos);
  }
  SECTION("a link to itself or to nothing") {
    folder.write(str("m/", kIndex), index_of({{"a", kA}}));
    fs::create_symlink(kA, folder.path(str("m/", kA)));
    CHECK(refusal(folder, folder.path("m")).find(str("DIR/m/", kA, ": expected this file")) == 0);
  }
}

TEST_CASE("a Hugging Face cache's own links are followed to its blobs, and nowhere else", "[io]") {
  const TempFolder folder;
  const std::string snapshot = "models--x--y/snapshots/abc/";
  folder.write("models--x--y/blobs/111", "{}");
  folder.write("models--x--y/blobs/222", index_of({{"a", kA}}));
  folder.write("models--x--y/blobs/333", weights_of("a"));
  folder.write("models--x--z/blobs/444", weights_of("a"));
  fs::create_directories(folder.path(snapshot));
  const auto link = [&](const std::string& name, const std::string& target) {
    fs::remove(folder.path(snapshot + name));
    fs::create_symlink(target, folder.path(snapshot + name));
  };
  link("config.json", "../../blobs/111");
  link(kIndex, "../../blobs/222");
  link(kA, "../../blobs/333");
  CHECK(refusal(folder, folder.path(snapshot)) == "accepted");
  link(kA, "../../../models--x--z/blobs/444");
  CHECK(refusal(folder, folder.path(snapshot)).find("a link that leads out of it") != std::string::npos);
}

TEST_CASE("a model is opened from memory as from its folder", "[io]") {
  const auto bytes = [](const std::string& text) { return Bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size()); };
  const std::string config = "{\"a\":1}", single = weights_of("ab"), index = index_of({{"a", kA}, {"b", kA}});
  SECTION("one file") {
    const ModelFiles files =
        open_model_files("inside", {{"config.json", bytes(config)}, {"model.safetensors", bytes(single)}}, ModelOptions{});
    CHECK(names_in(files) == "ab");
    CHECK(files.config.path == "inside/config.json");
    CHECK(files.config.text == config);
    CHECK(files.weights->tensors().at("a").bytes.data() > bytes(single).data());  // not copied
  }
  SECTION("shards") {
    CHECK(names_in(open_model_files("inside", {{"config.json", bytes(config)}, {kA, bytes(single)}, {kIndex, bytes(index)}},
                                    ModelOptions{})) == "ab");
  }
  SECTION("nothing") { CHECK_THROWS_AS(open_model_files("inside", std::vector<NamedBytes>{}, ModelOptions{}), Error); }
}

}  // namespace
}  // namespace vit
