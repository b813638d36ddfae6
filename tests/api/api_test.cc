// SPDX-License-Identifier: Apache-2.0
// The rules of vit.h that hold for every function: structs, null pointers, errors, buffers, threads.
#include <cstddef>
#include <cstring>
#include <thread>

#include "runtime/io/json.h"
#include "tests/api/models.h"
#include "tests/catch.h"

using namespace vit;

TEST_CASE("option structs of older callers are read as far as they go, and absurd sizes are refused", "[api]") {
  const ModelHandle model = open_demonstration();
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  vit_session* session = nullptr;

  SECTION("an older caller's struct ends before the fields that it does not know") {
    options.struct_size = offsetof(vit_session_options, isa);
    options.threads = 1;
    options.isa = "rubbish that an older caller did not write";
    options.tap_count = 12345;
    const SessionHandle made = make_session(model.get(), &options);
    CHECK(made != nullptr);
  }
  SECTION("a newer caller's unknown fields must be zero") {
    struct {
      vit_session_options known;
      uint64_t later;
    } newer = {VIT_SESSION_OPTIONS_INIT, 0};
    newer.known.struct_size = sizeof newer;
    SessionHandle(make_session(model.get(), &newer.known));
    newer.later = 1;
    CHECK(vit_session_create(model.get(), &newer.known, &session) == VIT_ERROR_ARGUMENT);
    CHECK(session == nullptr);
  }
  SECTION("sizes that no struct has") {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{7}, size_t{5000}, SIZE_MAX}) {
      CAPTURE(size);
      options.struct_size = size;
      CHECK(vit_session_create(model.get(), &options, &session) == VIT_ERROR_ARGUMENT);
      CHECK(std::strstr(vit_last_error(), "struct_size") != nullptr);
      vit_model_options model_options = VIT_MODEL_OPTIONS_INIT;
      model_options.struct_size = size;
      vit_model* other = nullptr;
      CHECK(vit_model_open(demonstration_folder().c_str(), &model_options, &other) == VIT_ERROR_ARGUMENT);
      vit_model_info info = VIT_MODEL_INFO_INIT;
      info.struct_size = size;
      CHECK(vit_model_get_info(model.get(), &info) == VIT_ERROR_ARGUMENT);
    }
  }
  SECTION("the library writes no further than an older caller's struct") {
    vit_model_info info;
    std::memset(&info, 0x5A, sizeof info);
    info.struct_size = offsetof(vit_model_info, height);
    REQUIRE(vit_model_get_info(model.get(), &info) == VIT_OK);
    CHECK(info.num_labels == 10);
    CHECK(info.embed_dim == 128);
    CHECK(info.struct_size == offsetof(vit_model_info, height));
    unsigned char last = 0;
    std::memcpy(&last, &info.height, 1);
    CHECK(last == 0x5A);
  }
}

TEST_CASE("a null pointer is an error with a sentence, never a crash", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const std::string photo = sample_photo();
  const vit_image image = vit_image_path(photo.c_str()), nowhere = vit_image_path(nullptr);
  vit_class classes[10];
  float values[10] = {};
  size_t n = 0, dims[4];
  uint8_t byte = 0;
  const float* data = nullptr;
  vit_model* no_model = nullptr;
  vit_session* no_session = nullptr;
  const vit_session_options init = VIT_SESSION_OPTIONS_INIT;
  vit_session_options taps = init;
  taps.tap_count = 1;

  CHECK(vit_model_open(nullptr, nullptr, &no_model) == VIT_ERROR_ARGUMENT);
  CHECK(vit_model_open(photo.c_str(), nullptr, nullptr) == VIT_ERROR_ARGUMENT);
  CHECK(vit_model_open_memory("x", nullptr, 1, nullptr, &no_model) == VIT_ERROR_ARGUMENT);
  CHECK(vit_model_open_memory(nullptr, nullptr, 0, nullptr, &no_model) == VIT_ERROR_ARGUMENT);
  CHECK(vit_model_get_info(nullptr, nullptr) == VIT_ERROR_ARGUMENT);
  CHECK(vit_model_label(nullptr, 0) == nullptr);
  CHECK(vit_session_create(nullptr, nullptr, &no_session) == VIT_ERROR_ARGUMENT);
  CHECK(vit_session_create(model.get(), nullptr, nullptr) == VIT_ERROR_ARGUMENT);
  CHECK(vit_session_create(model.get(), &taps, &no_session) == VIT_ERROR_ARGUMENT);
  CHECK(vit_classify(nullptr, &image, 1, 1, classes, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_classify(session.get(), nullptr, 1, 1, classes, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_classify(session.get(), &image, 1, 1, nullptr, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_classify(session.get(), &image, 1, 1, classes, nullptr) == VIT_ERROR_ARGUMENT);
  CHECK(vit_classify(session.get(), &nowhere, 1, 1, classes, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_infer(session.get(), &image, 1, VIT_OUTPUT_LOGITS, nullptr, 10) == VIT_ERROR_ARGUMENT);
  CHECK(vit_embed(session.get(), &image, 1, nullptr, 128) == VIT_ERROR_ARGUMENT);
  CHECK(vit_run(session.get(), nullptr, 1, 32, 32, VIT_OUTPUT_LOGITS, values, 10) == VIT_ERROR_ARGUMENT);
  CHECK(vit_output_shape(session.get(), 1, 0, 0, VIT_OUTPUT_LOGITS, nullptr, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_output_shape(session.get(), 1, 0, 0, VIT_OUTPUT_LOGITS, dims, nullptr) == VIT_ERROR_ARGUMENT);
  CHECK(vit_preprocess(session.get(), &image, &byte, 1, nullptr, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_pixels(session.get(), 0, nullptr, &n, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_tap(session.get(), nullptr, &data, dims, &n) == VIT_ERROR_ARGUMENT);
  CHECK(vit_describe(session.get(), VIT_DESCRIBE_MODEL, nullptr, 0, nullptr) == VIT_ERROR_ARGUMENT);
  CHECK(std::strlen(vit_last_error()) > 0);
  vit_model_free(nullptr);
  vit_session_free(nullptr);
}

TEST_CASE("values outside an enumeration and absurd options are refused", "[api]") {
  const ModelHandle model = open_demonstration();
  const vit_session_options init = VIT_SESSION_OPTIONS_INIT;
  const auto refused = [&](auto change, vit_status status = VIT_ERROR_ARGUMENT) {
    vit_session_options options = init;
    change(options);
    vit_session* session = reinterpret_cast<vit_session*>(0x1);
    CHECK(vit_session_create(model.get(), &options, &session) == status);
    CHECK(session == nullptr);
  };
  const char* unknown = "blocks.99";
  const char* pixels = "pixels";
  const char* fused = "patch_embed";
  refused([](vit_session_options& o) { o.threads = -1; });
  refused([](vit_session_options& o) { o.threads = 1 << 30; });
  refused([](vit_session_options& o) { o.backend = static_cast<vit_backend>(7); });
  refused([](vit_session_options& o) { o.exif = static_cast<vit_exif>(3); });
  refused([](vit_session_options& o) { o.pillow_order = 11; });
  refused([](vit_session_options& o) { o.probabilities = static_cast<vit_probabilities>(3); });
  refused([](vit_session_options& o) { o.height = 32; });
  refused([](vit_session_options& o) { o.height = o.width = SIZE_MAX; });
  refused([&](vit_session_options& o) { o.taps = &unknown, o.tap_count = 1; });
  refused([&](vit_session_options& o) { o.taps = &pixels, o.tap_count = 1; });
  refused([&](vit_session_options& o) { o.taps = &fused, o.tap_count = 1; });
  refused([](vit_session_options& o) { o.isa = "avx1024"; }, VIT_ERROR_UNSUPPORTED);

  const SessionHandle session = make_session(model.get());
  float values[10];
  const std::vector<float> input(3 * 32 * 32);
  size_t needed = 0;
  CHECK(vit_run(session.get(), input.data(), 1, 32, 32, static_cast<vit_output>(9), values, 10) == VIT_ERROR_ARGUMENT);
  CHECK(vit_run(session.get(), input.data(), 0, 32, 32, VIT_OUTPUT_LOGITS, values, 10) == VIT_ERROR_ARGUMENT);
  CHECK(vit_run(session.get(), input.data(), 1, 3, 32, VIT_OUTPUT_LOGITS, values, 10) == VIT_ERROR_ARGUMENT);
  CHECK(vit_run(session.get(), input.data(), SIZE_MAX, SIZE_MAX, 32, VIT_OUTPUT_LOGITS, values, 10) == VIT_ERROR_ARGUMENT);
  CHECK(vit_describe(session.get(), static_cast<vit_description>(77), nullptr, 0, &needed) == VIT_ERROR_ARGUMENT);
}

TEST_CASE("each thread keeps the sentence of its own last error", "[api]") {
  vit_model* model = nullptr;
  REQUIRE(vit_model_open("/nowhere/one", nullptr, &model) != VIT_OK);
  const std::string mine = vit_last_error();
  CHECK(mine.find("/nowhere/one") != std::string::npos);
  std::string before, after;
  std::thread other([&] {
    before = vit_last_error();
    vit_model* none = nullptr;
    static_cast<void>(vit_model_open("/nowhere/two", nullptr, &none));
    after = vit_last_error();
  });
  other.join();
  CHECK(before.empty());
  CHECK(after.find("/nowhere/two") != std::string::npos);
  CHECK(vit_last_error() == mine);
}

TEST_CASE("a sentence is valid UTF-8 without control characters, however long and strange the name", "[api]") {
  vit_model* model = nullptr;
  const std::string strange = "/nowhere/\x1b[31m\xff\n" + std::string(5000, 'a') + "\xc3\xa4";
  CHECK(vit_model_open(strange.c_str(), nullptr, &model) != VIT_OK);
  const std::string sentence = vit_last_error();
  CHECK(sentence.size() < 1024);
  for (const char c : sentence) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7F));
  CHECK(sentence.find('\xff') == std::string::npos);
}

TEST_CASE("a buffer that is too small is refused and stays as it was", "[api]") {
  const ModelHandle model = open_demonstration();
  const SessionHandle session = make_session(model.get());
  const std::string photo = sample_photo();
  const vit_image image = vit_image_path(photo.c_str());
  const std::vector<float> input(3 * 32 * 32), untouched(65 * 128, -7.0f);
  std::vector<float> values = untouched;
  CHECK(vit_infer(session.get(), &image, 1, VIT_OUTPUT_LOGITS, values.data(), 9) == VIT_ERROR_ARGUMENT);
  CHECK(vit_embed(session.get(), &image, 1, values.data(), 127) == VIT_ERROR_ARGUMENT);
  CHECK(vit_infer(session.get(), &image, 1, VIT_OUTPUT_FEATURES, values.data(), 65 * 128 - 1) == VIT_ERROR_ARGUMENT);
  CHECK(vit_run(session.get(), input.data(), 1, 32, 32, VIT_OUTPUT_LOGITS, values.data(), 9) == VIT_ERROR_ARGUMENT);
  CHECK(values == untouched);

  std::vector<uint8_t> pixels(32 * 32 * 3, 77);
  size_t height = 0, width = 0, needed = 0;
  CHECK(vit_preprocess(session.get(), &image, pixels.data(), pixels.size() - 1, &height, &width) == VIT_ERROR_ARGUMENT);
  CHECK(pixels == std::vector<uint8_t>(pixels.size(), 77));

  REQUIRE(vit_describe(session.get(), VIT_DESCRIBE_MODEL, nullptr, 0, &needed) == VIT_OK);
  std::string text(needed, '#');
  CHECK(vit_describe(session.get(), VIT_DESCRIBE_MODEL, text.data(), needed - 1, &needed) == VIT_ERROR_ARGUMENT);
  CHECK(text == std::string(needed, '#'));
  CHECK(vit_describe(session.get(), VIT_DESCRIBE_MODEL, text.data(), needed, &needed) == VIT_OK);
  CHECK(text.back() == '\0');
}

TEST_CASE("every description is JSON", "[api]") {
  const ModelHandle model = open_demonstration();
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.profile = 1;
  const SessionHandle session = make_session(model.get(), &options);
  const std::vector<float> input(3 * 32 * 32, 0.25f);
  float logits[10];
  REQUIRE(vit_run(session.get(), input.data(), 1, 32, 32, VIT_OUTPUT_LOGITS, logits, 10) == VIT_OK);
  for (int what = VIT_DESCRIBE_MODEL; what <= VIT_DESCRIBE_STAGES; ++what) {
    CAPTURE(what);
    size_t needed = 0;
    REQUIRE(vit_describe(session.get(), static_cast<vit_description>(what), nullptr, 0, &needed) == VIT_OK);
    std::string text(needed, '\0');
    REQUIRE(vit_describe(session.get(), static_cast<vit_description>(what), text.data(), needed, &needed) == VIT_OK);
    const auto json = nlohmann::json::parse(text.c_str());
    CHECK(!json.empty());
  }
}

TEST_CASE("two sessions of one model give the same bits from two threads, and outlive the model's handle", "[api]") {
  ModelHandle model = open_demonstration();
  vit_session_options options = VIT_SESSION_OPTIONS_INIT;
  options.threads = 2;
  const SessionHandle sessions[2] = {make_session(model.get(), &options), make_session(model.get(), &options)};
  model.reset();
  const std::string photo = sample_photo();
  std::vector<float> results[2];
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      const vit_image image = vit_image_path(photo.c_str());
      for (int turn = 0; turn < 3; ++turn) {
        results[t].assign(10, 0.0f);
        if (vit_infer(sessions[t].get(), &image, 1, VIT_OUTPUT_LOGITS, results[t].data(), 10) != VIT_OK) results[t].clear();
      }
    });
  for (std::thread& thread : threads) thread.join();
  REQUIRE(results[0].size() == 10);
  CHECK(results[0] == results[1]);
}
