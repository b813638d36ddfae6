// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/steps.h"

#include "tests/onednn/checks.h"

namespace vit {
namespace {

/// Two images of different sizes on some threads, with buffers by id.
struct Bench {
  std::vector<ImageRun> images{2};
  std::vector<ImageRows> rows{2};
  ImageRows* row_list[1] = {rows.data()};
  std::vector<TokenInfo> tokens;
  TokenInfo* token_list[1] = {nullptr};
  std::vector<std::vector<float>> buffers;
  std::vector<float*> pointers;

  Bench(int64_t first_rows, int64_t second_rows) {
    rows[0] = {0, first_rows, 0}, rows[1] = {first_rows, second_rows, 0};
    images[0].index = 0, images[1].index = 1, images[1].slot = 1;
    tokens.resize(static_cast<size_t>(first_rows + second_rows));
    token_list[0] = tokens.data();
  }
  int64_t total() const { return rows[0].count + rows[1].count; }
  BufferRef add(std::vector<float> values, int64_t stride) {
    buffers.push_back(std::move(values));
    pointers.clear();
    for (auto& b : buffers) pointers.push_back(b.data());
    return {static_cast<int>(buffers.size()) - 1, stride};
  }
  /// As the executor does: scratch, reservations, then the threads one after the other.
  void run(Step& step, int threads) {
    const int64_t floats = step.scratch_floats(std::max(rows[0].count, rows[1].count));
    Pass pass;
    pass.threads = threads;
    pass.images = images.data(), pass.image_count = 2, pass.rows = row_list, pass.tokens = token_list,
    pass.buffers = pointers.data();
    for (pass.thread = 0; pass.thread < threads; ++pass.thread)
      pass.for_each(step.work, [&](int image, int64_t begin, int64_t end) {
        step.reserve(end - begin, rows[static_cast<size_t>(image)].count);
      });
    for (pass.thread = 0; pass.thread < threads; ++pass.thread) {
      Scratch scratch(floats * 4);
      pass.scratch = static_cast<float*>(scratch.data());
      step.run(pass);
      CHECK(scratch.intact());
    }
  }
};

}  // namespace

TEST_CASE("oneDNN patch embedding agrees with double precision from pixels and from planes", "[onednn]") {
  const int64_t channels = 21, patch_height = 3, patch_width = 5, in = 3 * 3 * 5;
  const int threads = GENERATE(1, 2, 7);
  const bool from_pixels = GENERATE(true, false);
  Random random(2);
  const auto weight = random.normals(channels * in), bias = random.normals(channels), positions = random.normals(200 * channels);
  OneDnnPatchEmbedStep step;
  step.channels = channels, step.patch_height = patch_height, step.patch_width = patch_width;
  step.prefix = {{TokenKind::kClass, random.normals(channels)}, {TokenKind::kRegister, random.normals(channels)}};
  step.normalisation = {{0.0171, 0.0175, 0.0174}, {-2.1, -2.0, -1.8}};
  const int64_t stride = channels + 4;
  step.projection = std::make_shared<OneDnnLinear>(OneDnnLinearParams{.in = in,
                                                                      .out = channels,
                                                                      .x_stride = in,
                                                                      .y_stride = stride,
                                                                      .weight = weight.data(),
                                                                      .bias = bias.data(),
                                                                      .accumulate = true});

  Bench bench(2 + 11 * 13, 2 + 2 * 3);
  std::vector<std::vector<uint8_t>> pixels;
  std::vector<std::vector<float>> planes;
  for (ImageRun& run : bench.images) {
    run.grid_height = run.index == 0 ? 11 : 2, run.grid_width = run.index == 0 ? 13 : 3;
    if (run.index == 0) run.positions = positions.data();
    const int64_t height = run.grid_height * patch_height + 1, width = run.grid_width * patch_width + 2;  // the rest is not read
    pixels.push_back(random.bytes(height * (3 * width + 5))), planes.push_back(random.normals(3 * height * width));
    run.pixels = {pixels.back().data(), height, width, 3 * width + 5};
    if (!from_pixels) run.planes = planes.back().data(), run.plane_height = height, run.plane_width = width;
  }
  step.y = bench.add(std::vector<float>(static_cast<size_t>(bench.total() * stride), NAN), stride);
  bench.run(step, threads);

  bool right = true, placed = true;
  for (const ImageRun& run : bench.images) {
    const ImageRows& rows = bench.rows[static_cast<size_t>(run.index)];
    for (int64_t r = 0; r < rows.count; ++r) {
      const float* y = bench.buffers[0].data() + (rows.begin + r) * stride;
      const TokenInfo& token = bench.tokens[static_cast<size_t>(rows.begin + r)];
      const int64_t cell = r - 2, cy = cell / run.grid_width * patch_height, cx = cell % run.grid_width * patch_width;
      placed &= token.image == run.index && token.kind == (r == 0   ? TokenKind::kClass
                                                           : r == 1 ? TokenKind::kRegister
                                                                    : TokenKind::kPatch);
      if (cell >= 0) placed &= token.y == cy && token.x == cx && token.height == patch_height && token.width == patch_width;
      for (int64_t n = 0; n < channels; ++n) {
        const size_t at = static_cast<size_t>(n);
        if (cell < 0) {
          right &= y[n] == step.prefix[static_cast<size_t>(r)].value[at];
          continue;
        }
        double sum = bias[at], size = std::abs(sum);
        if (run.positions != nullptr)
          sum += run.positions[cell * channels + n], size += std::abs(run.positions[cell * channels + n]);
        for (int64_t k = 0; k < in; ++k) {
          const int64_t c = k / 15, py = cy + k % 15 / 5, px = cx + k % 5;
          const double x = from_pixels
                               ? run.pixels.data[py * run.pixels.stride_bytes + 3 * px + c] * step.normalisation.scale[c] +
                                     step.normalisation.shift[c]
                               : run.planes[(c * run.plane_height + py) * run.plane_width + px];
          sum += x * weight[static_cast<size_t>(n * in + k)], size += std::abs(x * weight[static_cast<size_t>(n * in + k)]);
        }
        // K roundings for the sum; one for each normalised pixel, and a few for bias, position and store.
        right &= std::abs(y[n] - sum) <= static_cast<double>(in + 5) * kUnit * size;
      }
    }
  }
  CHECK(right);
  CHECK(placed);
}

TEST_CASE("oneDNN steps treat each row once on any number of threads", "[onednn]") {
  const int threads = GENERATE(1, 2, 3, 7);
  CAPTURE(threads);
  Bench bench(23, 4);
  Random random(4);
  const int64_t channels = 12;
  const auto x = random.normals(bench.total() * 2 * channels);

  const auto near = [](double got, double expected, double size) {
    return std::abs(got - expected) <= 1e-5 * size;
  };  // rows, not digits
  SECTION("linear into the first columns of a wider buffer") {
    const auto weight = random.normals(channels * channels);
    OneDnnLinearStep step;
    step.x = bench.add(x, 2 * channels), step.y = bench.add(std::vector<float>(x.size(), 7), 2 * channels);
    step.linear = std::make_shared<OneDnnLinear>(OneDnnLinearParams{
        .in = channels, .out = channels, .x_stride = 2 * channels, .y_stride = 2 * channels, .weight = weight.data()});
    bench.run(step, threads);
    bool right = true;
    for (int64_t r = 0; r < bench.total(); ++r) {
      const float *from = bench.buffers[0].data() + r * 24, *to = bench.buffers[1].data() + r * 24;
      for (int64_t n = 0; n < channels; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < channels; ++k)
          sum += static_cast<double>(from[k]) * weight[static_cast<size_t>(n * channels + k)];
        right &= to[channels + n] == 7 && near(to[n], sum, 10);
      }
    }
    CHECK(right);
  }
  SECTION("gated activation in place, sum and scale") {
    OneDnnGatedActivationStep gated;
    gated.activation = std::make_shared<OneDnnActivation>(channels, Activation::kSilu);
    gated.multiply = std::make_shared<OneDnnBinary>(channels, OneDnnPairwise::kMultiply);
    gated.channels = channels;
    gated.x = gated.y = bench.add(x, 2 * channels);
    bench.run(gated, threads);
    OneDnnAddStep add;
    add.add = std::make_shared<OneDnnBinary>(channels, OneDnnPairwise::kAdd);
    add.a = gated.y, add.b = bench.add(std::vector<float>(x.size(), 1), channels),
    add.y = bench.add(std::vector<float>(x.size()), channels);
    bench.run(add, threads);
    OneDnnScaleStep scale;
    scale.multiply = gated.multiply;
    auto gamma = std::make_shared<Buffer<float>>(channels);
    for (int64_t c = 0; c < channels; ++c) (*gamma)[c] = static_cast<float>(c);
    scale.gamma = gamma;
    scale.x = scale.y = add.y;
    bench.run(scale, threads);
    bool right = true;
    for (int64_t r = 0; r < bench.total(); ++r)
      for (int64_t c = 0; c < channels; ++c) {
        const double a = x[static_cast<size_t>(r * 24 + c)], g = x[static_cast<size_t>(r * 24 + 12 + c)];
        right &= near(bench.buffers[2][static_cast<size_t>(r * channels + c)],
                      (activate(Activation::kSilu, a) * g + 1) * static_cast<double>(c), 100);
      }
    CHECK(right);
  }
  SECTION("layer normalisation and attention") {
    const auto gamma = std::vector<float>(24, 1), beta = std::vector<float>(24, 0);
    OneDnnLayerNormStep norm;
    norm.norm = std::make_shared<OneDnnLayerNorm>(2 * channels, 1e-6f, gamma.data(), beta.data(), 24, 24);
    norm.x = bench.add(x, 24), norm.y = bench.add(std::vector<float>(x.size(), NAN), 24);
    bench.run(norm, threads);
    OneDnnAttentionStep step;  // 2 heads of 4
    step.attention = std::make_shared<OneDnnAttention>(2, 4, 24, 8);
    step.channels = 8;
    step.qkv = norm.y, step.y = bench.add(std::vector<float>(static_cast<size_t>(bench.total() * 8), NAN), 8);
    bench.run(step, threads);
    bool right = true;
    for (const ImageRows& rows : bench.rows) {
      const float* qkv = bench.buffers[1].data() + rows.begin * 24;
      for (int64_t r = 0; r < rows.count; ++r)
        for (int64_t c = 0; c < 8; ++c) {
          double total = 0, sum = 0;
          for (int64_t t = 0; t < rows.count; ++t) {
            double score = 0;
            for (int64_t d = 0; d < 4; ++d)
              score += static_cast<double>(qkv[r * 24 + c / 4 * 4 + d]) * qkv[t * 24 + 8 + c / 4 * 4 + d];
            total += std::exp(score / 2), sum += std::exp(score / 2) * qkv[t * 24 + 16 + c];
          }
          right &= near(bench.buffers[2][static_cast<size_t>((rows.begin + r) * 8 + c)], sum / total, 1);
        }
    }
    CHECK(right);
  }
}

}  // namespace vit
