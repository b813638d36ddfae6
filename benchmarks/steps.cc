// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/steps.h"

#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/patch_embed.h"

namespace vit::bench {
namespace {

std::shared_ptr<const PackedLinear> packed(int64_t in, int64_t out, int64_t panel, const std::vector<float>& weight) {
  return std::make_shared<const PackedLinear>(
      pack_linear(Precision::kF32, in, out, panel,
                  [&](int64_t first, int64_t count, float* to) { std::copy_n(weight.data() + first * in, count * in, to); }, {}));
}

/// Rows of `channels` floats, as far apart as plans have them.
BufferRef add_rows(StepRig& rig, int64_t rows, int64_t channels) {
  rig.buffers.emplace_back(rows * row_stride(channels));
  return {static_cast<int>(rig.buffers.size()) - 1, row_stride(channels)};
}
int add_floats(StepRig& rig, int64_t floats) {
  rig.buffers.emplace_back(floats);
  return static_cast<int>(rig.buffers.size()) - 1;
}

}  // namespace

void StepRig::prepare() {
  for (const Buffer<float>& buffer : buffers) pointers_.push_back(buffer.data());
  tokens.resize(static_cast<size_t>(rows.count));
  row_list_ = &rows, token_list_ = tokens.data();
  scratch_ = Buffer<float>(step->scratch_floats(rows.count));
  pass_.images = &image, pass_.image_count = 1;
  pass_.rows = &row_list_, pass_.tokens = &token_list_;
  pass_.buffers = pointers_.data(), pass_.scratch = scratch_.data();
}

bool StepRig::right() {
  run();
  for (const int64_t row : {int64_t{0}, rows.count / 2, rows.count - 1})
    for (int64_t c = 0; c < channels; c += 7) {
      double size = 0;
      const double e = expected(row, c, &size);
      if (!near(pass_.row(y, row)[c], e, size)) return false;
    }
  return true;
}

std::vector<float> StepRig::result() {
  std::vector<float> out;
  for (int64_t r = 0; r < rows.count; ++r) out.insert(out.end(), pass_.row(y, r), pass_.row(y, r) + channels);
  return out;
}

Contender contender(const std::string& name, const Rig& rig) {
  return {name, rig->operations(), [rig] { rig->run(); }};
}

Rig linear_rig(const KernelTable& kernels, int64_t rows, int64_t in, int64_t out) {
  auto rig = std::make_shared<StepRig>();
  auto step = std::make_unique<LinearStep>();
  const auto weight = std::make_shared<std::vector<float>>(numbers(in * out, 1));
  step->kernels = &kernels, step->weights = packed(in, out, kernels.panel_columns, *weight);
  step->x = add_rows(*rig, rows, in), step->y = rig->y = add_rows(*rig, rows, out);
  const auto x = std::make_shared<std::vector<float>>(numbers(rows * in, 2));
  for (int64_t r = 0; r < rows; ++r) std::copy_n(x->data() + r * in, in, rig->buffers[0].data() + r * step->x.stride);
  rig->step = std::move(step);
  rig->channels = out, rig->rows.count = rows;
  rig->expected = [x, weight, in](int64_t row, int64_t channel, double* size) {
    double sum = 0;
    for (int64_t k = 0; k < in; ++k) {
      const double term =
          static_cast<double>((*x)[static_cast<size_t>(row * in + k)]) * (*weight)[static_cast<size_t>(channel * in + k)];
      sum += term, *size += std::fabs(term);
    }
    return sum;
  };
  rig->prepare();
  return rig;
}

Rig attention_rig(const KernelTable& kernels, const AttentionSize& size, const std::vector<float>& qkv) {
  auto rig = std::make_shared<StepRig>();
  const HeadLayout layout{size.heads, size.head_dim, kernels.panel_columns};
  const int64_t tokens = size.tokens, channels = layout.channels();
  HeadBuffers heads;
  heads.q = add_rows(*rig, tokens, channels);
  heads.keys = add_floats(*rig, layout.padded_rows(tokens) * layout.key_floats());
  heads.values = add_floats(*rig, layout.padded_rows(tokens) * layout.value_floats());
  const BufferRef x = add_rows(*rig, tokens, 3 * channels);
  for (int64_t r = 0; r < tokens; ++r)
    std::copy_n(qkv.data() + r * 3 * channels, 3 * channels, rig->buffers[static_cast<size_t>(x.id)].data() + r * x.stride);
  rig->y = add_rows(*rig, tokens, channels);
  rig->channels = channels, rig->rows.count = tokens;

  auto pack = std::make_unique<PackHeadsStep>();
  pack->kernels = &kernels, pack->layout = layout, pack->heads = heads, pack->x = x;
  rig->step = std::move(pack);
  auto step = std::make_unique<AttentionStep>();
  step->kernels = &kernels, step->layout = layout, step->heads = heads, step->y = rig->y;
  const auto numbers_in = std::make_shared<std::vector<float>>(qkv);
  rig->expected = [numbers_in, size, channels](int64_t row, int64_t channel, double* magnitude) {
    const int64_t head = channel / size.head_dim * size.head_dim;
    const auto at = [&](int64_t r, int64_t c) {
      return static_cast<double>((*numbers_in)[static_cast<size_t>(r * 3 * channels + c)]);
    };
    double sum = 0, out = 0;
    for (int64_t t = 0; t < size.tokens; ++t) {
      double score = 0;
      for (int64_t d = 0; d < size.head_dim; ++d) score += at(row, head + d) * at(t, channels + head + d);
      const double weight = std::exp(score / std::sqrt(static_cast<double>(size.head_dim)));
      sum += weight, out += weight * at(t, 2 * channels + channel);
    }
    *magnitude = 1;  // a mean of numbers between -1 and 1
    return out / sum;
  };
  // Both steps run on the scratch of the one that needs some.
  std::unique_ptr<Step> packer = std::exchange(rig->step, std::move(step));
  rig->prepare();
  std::swap(packer, rig->step);
  rig->run();
  std::swap(packer, rig->step);
  return rig;
}

Rig patch_rig(const KernelTable& kernels, const PatchSize& size, const std::vector<uint8_t>& pixels,
              const std::vector<float>& weight) {
  auto rig = std::make_shared<StepRig>();
  rig->pixels = pixels;
  auto step = std::make_unique<PatchEmbedStep>();
  step->kernels = &kernels, step->pixel_weights = packed(size.patch_floats(), size.channels, kernels.panel_columns, weight);
  step->channels = size.channels, step->patch_height = step->patch_width = size.patch;
  rig->channels = size.channels, rig->rows.count = size.grid() * size.grid();
  step->y = rig->y = add_rows(*rig, rig->rows.count, size.channels);
  rig->step = std::move(step);
  rig->image.grid_height = rig->image.grid_width = size.grid();
  rig->image.pixels.data = rig->pixels.data();
  rig->image.pixels.height = rig->image.pixels.width = size.side;
  rig->image.pixels.stride_bytes = 3 * size.side;
  const auto weights = std::make_shared<std::vector<float>>(weight);
  const StepRig* const self = rig.get();
  rig->expected = [self, weights, size](int64_t row, int64_t channel, double* magnitude) {
    const int64_t run = 3 * size.patch, y = row / size.grid() * size.patch, x = row % size.grid() * size.patch;
    double sum = 0;
    for (int64_t i = 0; i < size.patch_floats(); ++i) {
      const auto pixel = static_cast<size_t>((y + i / run) * 3 * size.side + 3 * x + i % run);
      const double term =
          static_cast<double>(self->pixels[pixel]) * (*weights)[static_cast<size_t>(channel * size.patch_floats() + i)];
      sum += term, *magnitude += std::fabs(term);
    }
    return sum;
  };
  rig->prepare();
  return rig;
}

}  // namespace vit::bench
