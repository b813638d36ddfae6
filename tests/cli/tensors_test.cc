// SPDX-License-Identifier: Apache-2.0
// run, taps and .npy files.
#include <cmath>
#include <cstring>

#include "tests/api/models.h"
#include "tests/catch.h"
#include "tests/cli/npy_files.h"
#include "tests/cli/process.h"
#include "tests/temp_folder.h"
#include "tools/common/npy.h"

using namespace vit;
using tool::npy_header;
using tool::NpyType;

namespace {

std::string npy(const std::vector<size_t>& shape, uint32_t seed) {
  std::string file = npy_header(NpyType::kFloat32, shape);
  size_t count = 1;
  for (const size_t axis : shape) count *= axis;
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const float value = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
    file.append(reinterpret_cast<const char*>(&value), 4);
  }
  return file;
}

}  // namespace

TEST_CASE("run gives the shapes of the contract and the library's numbers", "[cli]") {
  const TempFolder folder;
  const std::string in = folder.write("x.npy", npy({3, 3, 32, 32}, 1)), out = folder.path("y.npy");
  REQUIRE(infer({"run", "--input", in, "--output", out}).status == 0);
  const Npy logits = read_npy(out);
  CHECK(logits.shape == std::vector<size_t>{3, 10});
  REQUIRE(infer({"run", "--input", in, "--output", out, "--want", "features"}).status == 0);
  CHECK(read_npy(out).shape == std::vector<size_t>{3, 65, 128});
  REQUIRE(infer({"run", "--input", in, "-o", out, "--want", "embedding"}).status == 0);
  CHECK(read_npy(out).shape == std::vector<size_t>{3, 128});

  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const Npy input = read_npy(in);
  std::vector<float> expected(30);
  REQUIRE(vit_run(session.get(), input.values.data(), 3, 32, 32, VIT_OUTPUT_LOGITS, expected.data(), 30) == VIT_OK);
  CHECK(logits.values == expected);  // the batch as a whole there, one by one here
}

TEST_CASE("run takes its size from the input and drops what is less than a patch", "[cli]") {
  const TempFolder folder;
  const std::string in = folder.write("x.npy", npy({1, 3, 43, 22}, 2)), out = folder.path("y.npy");
  REQUIRE(infer({"run", "--input", in, "--output", out, "--want", "features"}).status == 0);
  CHECK(read_npy(out).shape == std::vector<size_t>{1, 51, 128});
  CHECK(infer({"run", "--input", in, "-o", out, "--size", "43x22"}).status == 0);
  CHECK(infer({"run", "--input", in, "-o", out, "--size", "43x21"}).status == 2);
}

TEST_CASE("run reads standard input and writes standard output", "[cli]") {
  const TempFolder folder;
  const std::string file = npy({2, 3, 32, 32}, 3), in = folder.write("x.npy", file), out = folder.path("y.npy");
  REQUIRE(infer({"run", "--input", in, "--output", out}).status == 0);
  CHECK(infer({"run", "--input", "-"}, {.input = file}).out == contents(out));
  REQUIRE(infer({"run", "--input", in, "--output", in}).status == 0);  // over its own input
  CHECK(contents(in) == contents(out));
}

TEST_CASE("inputs of run that are not what they should be end with 5 and leave the old output", "[cli]") {
  const TempFolder folder;
  const std::string good = npy({1, 3, 32, 32}, 4), out = folder.write("y.npy", "old");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string file = good;
    file.replace(file.find(from), from.size(), to);
    return file;
  };
  std::string infinite = good;
  const float inf = INFINITY;
  std::memcpy(infinite.data() + 128, &inf, 4);
  const std::vector<std::string> bad = {"",
                                        "no npy",
                                        good.substr(0, 9),
                                        good.substr(0, 100),
                                        good.substr(0, good.size() - 1),
                                        good + "x",
                                        replaced("<f4", "<f8"),
                                        replaced("<f4", ">f4"),
                                        replaced("False", "True "),
                                        replaced("'descr'", "'descx'"),
                                        replaced("(1, 3, 32, 32)", "(1, 3, 32, 3) "),
                                        replaced("(1, 3, 32, 32)", "(3, 32, 32)   "),
                                        replaced("(1, 3, 32, 32)", "(0, 3, 32, 32)"),
                                        replaced("(1, 3, 32, 32)", "(1, 1, 96, 32)"),
                                        replaced("(1, 3, 32, 32)", "(1, 3, -1, 32)"),
                                        replaced("(1, 3, 32, 32)", "(1, 3, 1024,1)"),
                                        replaced("(1, 3, 32, 32), }", "(99999999999999999999, 3, 32), }"),
                                        replaced("(1, 3, 32, 32), }       ", "(4294967296, 4294967296, 1), }"),
                                        replaced("\x01", "\x09"),
                                        infinite};
  for (size_t i = 0; i < bad.size(); ++i) {
    const ProcessResult result = infer({"run", "--input", folder.write("x.npy", bad[i]), "-o", out});
    CAPTURE(i, result.err);
    CHECK(result.status == 5);
    CHECK(lines_of(result.err).size() == 1);
    CHECK(is_clean_text(result.err));
    CHECK(contents(out) == "old");
  }
  CHECK(infer({"run", "--input", folder.path("missing"), "-o", out}).status == 5);
  CHECK(infer({"run", "--input", folder.path(), "-o", out}).status == 5);
  CHECK(infer({"run", "--input", "/dev/null", "-o", out}).status == 5);
}

TEST_CASE("every node that info lists can be tapped, and pixels are the 8-bit crop", "[cli]") {
  const TempFolder folder;
  const auto nodes = lines_of(infer({"info", "--nodes"}).out);
  REQUIRE(nodes.size() > 20);
  std::vector<std::string> arguments{"--format", "json", sample_photo()};
  for (size_t i = 0; i < nodes.size(); ++i) {
    arguments.push_back("--tap");
    arguments.push_back(nodes[i].substr(0, nodes[i].find(' ')) + "=" + folder.path(std::to_string(i) + ".npy"));
  }
  const ProcessResult result = infer(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(result.out == infer({"--format", "json", sample_photo()}).out);  // watching changes nothing
  for (size_t i = 0; i < nodes.size(); ++i) {
    CAPTURE(nodes[i]);
    const std::string file = contents(folder.path(std::to_string(i) + ".npy"));
    REQUIRE(file.size() > 128);
    if (nodes[i].rfind("pixels", 0) == 0) {
      CHECK(file.substr(0, 128) == npy_header(NpyType::kUint8, {32, 32, 3}));
      CHECK(file.size() == 128 + 32 * 32 * 3);
    } else {
      CHECK(file.find("'<f4'") != std::string::npos);
    }
  }
}

TEST_CASE("taps of several images have a leading axis", "[cli]") {
  const TempFolder folder;
  const std::string a = sample_photo(), b = folder.write("b.ppm", ppm(picture(21, 34, 7), 21, 34));
  const std::string pixels = folder.path("p.npy"), logits = folder.path("l.npy");
  REQUIRE(infer({"embed", a, b, "--format", "jsonl", "--tap", "pixels=" + pixels, "--tap", "norm=" + logits}).status == 0);
  CHECK(contents(pixels).substr(0, 128) == npy_header(NpyType::kUint8, {2, 32, 32, 3}));
  CHECK(read_npy(logits).shape[0] == 2);
  CHECK(infer({a, "--tap", "logits=" + logits, "--tap", "pixels=" + logits}).status == 2);
  const std::string in = folder.write("x.npy", npy({2, 3, 32, 32}, 5));
  REQUIRE(infer({"run", "--input", in, "-o", folder.path("y.npy"), "--tap", "logits=" + logits}).status == 0);
  CHECK(contents(logits) == contents(folder.path("y.npy")));
  CHECK(infer({"run", "--input", in, "-o", folder.path("y.npy"), "--tap", "pixels=" + pixels}).status == 2);
}
