// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/attention.h"

#include <cassert>
#include <cmath>
#include <utility>

#include "ops/core/checked.h"
#include "ops/onednn/primitive.h"
#include "ops/onednn/reserved.h"

namespace vit {

using namespace onednn;

namespace {

constexpr const char* kWhat = "attention";

/// Rows of scores at a time. oneDNN packs the head's keys and values anew for each block, which 128 rows and more pay for; up to
/// 1 MiB of scores stays near the level-2 cache.
int64_t block_rows(int64_t tokens) { return std::clamp<int64_t>(262144 / tokens, 128, 256); }

/// The most scores that a block has in an image of up to `tokens` rows.
int64_t most_scores(int64_t tokens) { return std::min(tokens * tokens, std::max<int64_t>(262144, 128 * tokens)); }

/// Scores stand before oneDNN's own scratch memory, in whole cache lines.
int64_t score_bytes(int64_t scores) { return round_up(scores, 16) * static_cast<int64_t>(sizeof(float)); }

}  // namespace

struct OneDnnAttention::Impl {
  using Key = std::pair<int64_t, int64_t>;  ///< tokens, rows
  struct Entry {
    Primitive scores, softmax, mix;
    int64_t tokens = 0, rows = 0;
    int64_t inner_bytes() const { return std::max({scores.scratch_bytes, softmax.scratch_bytes, mix.scratch_bytes}); }
    int64_t scratch_bytes() const { return score_bytes(rows * tokens) + inner_bytes(); }
  };

  int64_t heads = 0, head_dim = 0, qkv_stride = 0, y_stride = 0;
  Reserved<Key, Entry> reserved;
  int64_t bytes = 0, promised = -1;

  Entry make(int64_t rows, int64_t tokens) const {
    const dnnl::engine& engine = context().engine;
    const auto f32 = dnnl::memory::data_type::f32;
    dnnl::post_ops scale;
    append_eltwise(scale, dnnl::algorithm::eltwise_linear, static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))),
                   0.0f);
    const Desc q = matrix(rows, head_dim, qkv_stride), v = matrix(tokens, head_dim, qkv_stride),
               score = matrix(rows, tokens, tokens);
    const Desc keys({head_dim, tokens}, f32, dnnl::memory::dims{1, qkv_stride});
    Entry entry;
    entry.rows = rows, entry.tokens = tokens;
    entry.scores = make_primitive<dnnl::matmul>(kWhat, describe_matmul(engine, q, keys, nullptr, score, serial_attr(scale)));
    entry.scores.weights = keys;
    entry.softmax = make_primitive<Softmax>(kWhat, describe_softmax(engine, score, serial_attr()));
    entry.mix = make_primitive<dnnl::matmul>(
        kWhat, describe_matmul(engine, score, v, nullptr, matrix(rows, head_dim, y_stride), serial_attr()));
    entry.mix.weights = v;
    return entry;
  }

  void reserve(int64_t rows, int64_t tokens) {
    if (rows < 1 || reserved.keep({tokens, rows})) return;
    Entry entry = guarded(kWhat, [&] { return make(rows, tokens); });
    const int64_t needed = entry.scratch_bytes();
    VIT_CHECK(promised < 0 || needed <= promised, Code::kInternal, kWhat, ": expected ", promised,
              " bytes of scratch to be enough for ", tokens, " tokens, oneDNN asks for ", needed);
    bytes = std::max(bytes, needed);
    reserved.add({tokens, rows}, std::move(entry));
  }

  void run(const Entry& e, const float* q, const float* image, float* y, void* scratch) const noexcept {
    float* score = static_cast<float*>(scratch);
    void* inner = static_cast<char*>(scratch) + score_bytes(e.rows * e.tokens);
    const int64_t channels = heads * head_dim;
    for (int64_t h = 0; h < heads; ++h) {
      const float *query = q + h * head_dim, *keys = image + channels + h * head_dim, *values = keys + channels;
      Call(e.scores)
          .data(DNNL_ARG_SRC, e.scores.src, query)
          .data(DNNL_ARG_WEIGHTS, e.scores.weights, keys)
          .data(DNNL_ARG_DST, e.scores.dst, score)
          .run({score, e.rows, e.tokens, e.tokens}, inner);
      Call(e.softmax)
          .data(DNNL_ARG_SRC, e.softmax.src, score)
          .data(DNNL_ARG_DST, e.softmax.dst, score)
          .run({score, e.rows, e.tokens, e.tokens}, inner);
      float* to = y + h * head_dim;
      Call(e.mix)
          .data(DNNL_ARG_SRC, e.mix.src, score)
          .data(DNNL_ARG_WEIGHTS, e.mix.weights, values)
          .data(DNNL_ARG_DST, e.mix.dst, to)
          .run({to, e.rows, head_dim, y_stride}, inner);
    }
  }
};

OneDnnAttention::OneDnnAttention(int64_t heads, int64_t head_dim, int64_t qkv_stride, int64_t y_stride)
    : impl_(std::make_unique<Impl>()) {
  VIT_CHECK(heads > 0 && head_dim > 0 && qkv_stride >= 3 * heads * head_dim && y_stride >= heads * head_dim, Code::kInternal,
            kWhat, ": ", heads, " heads of ", head_dim, " do not fit strides of ", qkv_stride, " and ", y_stride);
  impl_->heads = heads, impl_->head_dim = head_dim, impl_->qkv_stride = qkv_stride, impl_->y_stride = y_stride;
}
OneDnnAttention::OneDnnAttention(OneDnnAttention&&) noexcept = default;
OneDnnAttention::~OneDnnAttention() = default;

// What oneDNN itself asks for depends on the size of a head and hardly on the number of tokens; twice that leaves room for
// "hardly".
int64_t OneDnnAttention::scratch_bytes(int64_t max_tokens) const {
  Impl& impl = *impl_;
  const int64_t tokens = std::max<int64_t>(max_tokens, 1), rows = std::min(tokens, block_rows(tokens));
  const int64_t inner = guarded(kWhat, [&] { return impl.make(rows, tokens).inner_bytes(); });
  return impl.promised = std::max({impl.promised, impl.bytes, score_bytes(most_scores(tokens)) + 2 * inner + 65536});
}

void OneDnnAttention::reserve(int64_t rows, int64_t tokens) {
  const int64_t blocks = std::max<int64_t>(ceil_div(rows, block_rows(tokens)), 1);
  impl_->reserve(1, tokens);
  impl_->reserve(rows / blocks, tokens);
  impl_->reserve(ceil_div(rows, blocks), tokens);
}

void OneDnnAttention::run(int64_t first, int64_t last, int64_t tokens, const float* qkv, float* y, void* scratch) const noexcept {
  const Impl& impl = *impl_;
  const int64_t rows = last - first, blocks = std::max<int64_t>(ceil_div(rows, block_rows(tokens)), 1);
  for (int64_t block = 0, at = first; block < blocks; ++block) {
    const int64_t end = first + rows * (block + 1) / blocks;
    while (at < end) {
      const Impl::Entry* entry = impl.reserved.at_most({tokens, end - at});
      assert(entry != nullptr && entry->tokens == tokens);
      impl.run(*entry, qkv + at * impl.qkv_stride, qkv, y + at * impl.y_stride, scratch);
      at += entry->rows;
    }
  }
}

}  // namespace vit
