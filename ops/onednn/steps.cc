// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/steps.h"

#include <cstring>

namespace vit {
namespace {

int64_t floats(int64_t bytes) { return ceil_div(bytes, static_cast<int64_t>(sizeof(float))); }

double rows_of(const Pass& pass, const Work& work) {
  double rows = 0;
  pass.for_each(work, [&](int, int64_t begin, int64_t end) { rows += static_cast<double>(end - begin); });
  return rows;
}

}  // namespace

int64_t OneDnnLinearStep::scratch_floats(int64_t max_rows) const { return floats(linear->scratch_bytes(max_rows)); }
void OneDnnLinearStep::reserve(int64_t rows, int64_t) { linear->reserve(rows); }
void OneDnnLinearStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    linear->run(end - begin, pass.row(x, begin), pass.row(y, begin), pass.scratch);
  });
}
double OneDnnLinearStep::operations(const Pass& pass) const noexcept {
  return 2.0 * rows_of(pass, work) * static_cast<double>(linear->in()) * static_cast<double>(linear->out());
}

int64_t OneDnnLayerNormStep::scratch_floats(int64_t max_rows) const { return floats(norm->scratch_bytes(max_rows)); }
void OneDnnLayerNormStep::reserve(int64_t rows, int64_t) { norm->reserve(rows); }
void OneDnnLayerNormStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    norm->run(end - begin, pass.row(x, begin), pass.row(y, begin), pass.scratch);
  });
}

int64_t OneDnnAttentionStep::scratch_floats(int64_t max_rows) const { return floats(attention->scratch_bytes(max_rows)); }
void OneDnnAttentionStep::reserve(int64_t rows, int64_t image_rows) { attention->reserve(rows, image_rows); }
void OneDnnAttentionStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const ImageRows& r = pass.rows[work.stage][image];
    attention->run(begin - r.begin, end - r.begin, r.count, pass.row(qkv, r.begin), pass.row(y, r.begin), pass.scratch);
  });
}
double OneDnnAttentionStep::operations(const Pass& pass) const noexcept {
  double pairs = 0;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    pairs += static_cast<double>(end - begin) * static_cast<double>(pass.rows[work.stage][image].count);
  });
  return 4.0 * pairs * static_cast<double>(channels);
}

int64_t OneDnnActivationStep::scratch_floats(int64_t) const { return floats(activation->scratch_bytes()); }
void OneDnnActivationStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    activation->run(end - begin, pass.row(x, begin), x.stride, pass.row(y, begin), y.stride, pass.scratch);
  });
}

int64_t OneDnnGatedActivationStep::scratch_floats(int64_t) const {
  return floats(std::max(activation->scratch_bytes(), multiply->scratch_bytes()));
}
// Row by row, so that y may be x whatever the strides.
void OneDnnGatedActivationStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* from = pass.row(x, r);
      float* to = pass.row(y, r);
      activation->run(1, from, 0, to, 0, pass.scratch);
      multiply->run(1, to, 0, from + channels, 0, to, 0, pass.scratch);
    }
  });
}

int64_t OneDnnScaleStep::scratch_floats(int64_t) const { return floats(multiply->scratch_bytes()); }
void OneDnnScaleStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    multiply->run(end - begin, pass.row(x, begin), x.stride, gamma->data(), 0, pass.row(y, begin), y.stride, pass.scratch);
  });
}

int64_t OneDnnAddStep::scratch_floats(int64_t) const { return floats(add->scratch_bytes()); }
void OneDnnAddStep::run(const Pass& pass) const noexcept {
  pass.for_each(work, [&](int, int64_t begin, int64_t end) {
    add->run(end - begin, pass.row(a, begin), a.stride, pass.row(b, begin), b.stride, pass.row(y, begin), y.stride, pass.scratch);
  });
}

// ---- patch embedding ----

int64_t OneDnnPatchEmbedStep::scratch_floats(int64_t max_rows) const {
  return block_floats() + floats(projection->scratch_bytes(std::min(max_rows, kBlockRows)));
}

// A thread's rows hold all of an image's prefix tokens or none, but for a cut among them: then a few calls more are made.
void OneDnnPatchEmbedStep::reserve(int64_t rows, int64_t) {
  for (const int64_t patches : {rows - static_cast<int64_t>(prefix.size()), rows})
    for_tiles(0, std::max<int64_t>(patches, 0), kBlockRows,
              [&](int64_t, int64_t block_rows) { projection->reserve(block_rows); });
}

/// What a row holds before the projection is added: the prefix token, or the patch's position. And what it is.
void OneDnnPatchEmbedStep::start_row(const Pass& pass, int image, int64_t row) const {
  const ImageRun& run = pass.images[image];
  const int64_t cell = row - pass.rows[work.stage][image].begin - static_cast<int64_t>(prefix.size());
  TokenInfo& info = pass.tokens[work.stage][row];
  info = TokenInfo{};
  info.image = static_cast<int32_t>(run.index);
  const float* start = nullptr;
  if (cell < 0) {
    const PrefixRow& token = prefix[prefix.size() - static_cast<size_t>(-cell)];
    info.kind = token.kind;
    start = token.value.data();
  } else {
    info.y = static_cast<int32_t>(cell / run.grid_width * patch_height);
    info.x = static_cast<int32_t>(cell % run.grid_width * patch_width);
    info.height = static_cast<int32_t>(patch_height);
    info.width = static_cast<int32_t>(patch_width);
    if (run.positions != nullptr && positions == PatchPositions::kAdd) start = run.positions + cell * channels;
  }
  float* to = pass.row(y, row);
  if (start != nullptr)
    std::memcpy(to, start, static_cast<size_t>(channels) * sizeof(float));
  else
    std::fill_n(to, channels, 0.0f);
}

/// One patch in (c, ky, kx) order, from float planes or from pixels.
void OneDnnPatchEmbedStep::gather(const Pass& pass, int image, int64_t row, float* to) const {
  const ImageRun& run = pass.images[image];
  const TokenInfo& cell = pass.tokens[work.stage][row];
  const int64_t height = run.planes != nullptr ? run.plane_height : run.pixels.height,
                width = run.planes != nullptr ? run.plane_width : run.pixels.width;
  for (int64_t c = 0; c < image_channels; ++c) {
    for (int64_t ky = 0; ky < patch_height; ++ky, to += patch_width) {
      // What the image lacks of a patch is zeros.
      const int64_t columns = cell.y + ky < height ? std::min(patch_width, width - cell.x) : 0;
      std::fill(to + columns, to + patch_width, 0.0f);
      if (run.planes != nullptr) {
        std::copy_n(run.planes + (c * run.plane_height + cell.y + ky) * run.plane_width + cell.x, columns, to);
        continue;
      }
      const uint8_t* from = run.pixels.data + (cell.y + ky) * run.pixels.stride_bytes + 3 * cell.x + c;
      for (int64_t kx = 0; kx < columns; ++kx)
        to[kx] = static_cast<float>(from[3 * kx] * normalisation.scale[c] + normalisation.shift[c]);
    }
  }
}

void OneDnnPatchEmbedStep::run(const Pass& pass) const noexcept {
  float* block = pass.scratch;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) start_row(pass, image, r);
    const int64_t first_patch = pass.rows[work.stage][image].begin + static_cast<int64_t>(prefix.size());
    for_tiles(std::max(begin, first_patch), std::max(end, first_patch), kBlockRows, [&](int64_t row, int64_t rows) {
      for (int64_t i = 0; i < rows; ++i) gather(pass, image, row + i, block + i * patch_floats());
      projection->run(rows, block, pass.row(y, row), block + block_floats());
    });
  });
}

double OneDnnPatchEmbedStep::operations(const Pass& pass) const noexcept {
  double patches = 0;
  pass.for_each(work, [&](int image, int64_t begin, int64_t end) {
    const int64_t first_patch = pass.rows[work.stage][image].begin + static_cast<int64_t>(prefix.size());
    patches += static_cast<double>(std::max(end, first_patch) - std::max(begin, first_patch));
  });
  return 2.0 * patches * static_cast<double>(patch_floats()) * static_cast<double>(channels);
}

}  // namespace vit
