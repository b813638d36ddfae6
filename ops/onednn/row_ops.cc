// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/row_ops.h"

#include <optional>

#include "ops/onednn/primitive.h"
#include "ops/onednn/reserved.h"

namespace vit {

using namespace onednn;

// ---- layer normalisation ----

namespace {
constexpr const char* kLayerNorm = "a layer normalisation";
}

struct OneDnnLayerNorm::Impl {
  struct Entry {
    Primitive primitive;
    int64_t rows = 0;
    int64_t scratch_bytes() const { return primitive.scratch_bytes; }
  };

  int64_t channels = 0, x_stride = 0, y_stride = 0;
  float eps = 0;
  Constant gamma, beta;
  std::optional<ReservedRows<Entry>> reserved;

  Entry make(int64_t rows) const {
    const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
    const auto desc = describe_layer_norm(context().engine, matrix(rows, channels, channels), eps, flags, serial_attr());
    return {make_primitive<dnnl::layer_normalization_forward>(kLayerNorm, desc), rows};
  }
  /// oneDNN 2.6 accepts rows with gaps and then takes them for adjacent.
  bool row_by_row() const { return x_stride != channels || y_stride != channels; }
};

OneDnnLayerNorm::OneDnnLayerNorm(int64_t channels, float eps, const float* gamma, const float* beta, int64_t x_stride,
                                 int64_t y_stride)
    : impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  impl.channels = channels, impl.eps = eps, impl.x_stride = x_stride, impl.y_stride = y_stride;
  guarded(kLayerNorm, [&] {
    const Desc vector({channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    impl.gamma = make_constant(vector, gamma);
    impl.beta = make_constant(vector, beta);
    impl.reserved.emplace(impl.make(1));
  });
}
OneDnnLayerNorm::OneDnnLayerNorm(OneDnnLayerNorm&&) noexcept = default;
OneDnnLayerNorm::~OneDnnLayerNorm() = default;

int64_t OneDnnLayerNorm::scratch_bytes(int64_t max_rows) const {
  Impl& impl = *impl_;
  return impl.reserved->promise(
      guarded(kLayerNorm, [&] { return impl.make(impl.row_by_row() ? 1 : std::max<int64_t>(max_rows, 1)); }));
}

void OneDnnLayerNorm::reserve(int64_t rows) {
  Impl& impl = *impl_;
  if (!impl.row_by_row())
    impl.reserved->reserve(rows, [&](int64_t n) { return guarded(kLayerNorm, [&] { return impl.make(n); }); });
}

void OneDnnLayerNorm::run(int64_t rows, const float* x, float* y, void* scratch) const noexcept {
  const Impl& impl = *impl_;
  impl.reserved->for_pieces(rows, [&](const Impl::Entry& entry, int64_t at) {
    const Primitive& p = entry.primitive;
    float* to = y + at * impl.y_stride;
    Call(p)
        .data(DNNL_ARG_SRC, p.src, x + at * impl.x_stride)
        .data(DNNL_ARG_DST, p.dst, to)
        .constant(DNNL_ARG_SCALE, impl.gamma)
        .constant(DNNL_ARG_SHIFT, impl.beta)
        .run({to, entry.rows, impl.channels, impl.y_stride}, scratch);
  });
}

// ---- activations ----

struct OneDnnActivation::Impl {
  int64_t channels = 0;
  Primitive primitive;
};

OneDnnActivation::OneDnnActivation(int64_t channels, Activation activation) : impl_(std::make_unique<Impl>()) {
  impl_->channels = channels;
  impl_->primitive = guarded("an activation", [&] {
    const Eltwise e = eltwise_of(activation);
    const auto desc = describe_eltwise(context().engine, e.kind, matrix(1, channels, channels), e.alpha, serial_attr());
    return make_primitive<dnnl::eltwise_forward>("an activation", desc);
  });
}
OneDnnActivation::OneDnnActivation(OneDnnActivation&&) noexcept = default;
OneDnnActivation::~OneDnnActivation() = default;

int64_t OneDnnActivation::scratch_bytes() const { return impl_->primitive.scratch_bytes; }

void OneDnnActivation::run(int64_t rows, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                           void* scratch) const noexcept {
  const Primitive& p = impl_->primitive;
  for (; rows > 0; --rows, x += x_stride, y += y_stride)
    Call(p).data(DNNL_ARG_SRC, p.src, x).data(DNNL_ARG_DST, p.dst, y).run({y, 1, impl_->channels, 0}, scratch);
}

// ---- sums and products ----

struct OneDnnBinary::Impl {
  int64_t channels = 0;
  Primitive primitive;
};

OneDnnBinary::OneDnnBinary(int64_t channels, OneDnnPairwise kind) : impl_(std::make_unique<Impl>()) {
  impl_->channels = channels;
  impl_->primitive = guarded("an elementwise step", [&] {
    const Desc row = matrix(1, channels, channels);
    const auto algorithm = kind == OneDnnPairwise::kAdd ? dnnl::algorithm::binary_add : dnnl::algorithm::binary_mul;
    return make_primitive<dnnl::binary>("an elementwise step",
                                        describe_binary(context().engine, algorithm, row, row, row, serial_attr()));
  });
}
OneDnnBinary::OneDnnBinary(OneDnnBinary&&) noexcept = default;
OneDnnBinary::~OneDnnBinary() = default;

int64_t OneDnnBinary::scratch_bytes() const { return impl_->primitive.scratch_bytes; }

void OneDnnBinary::run(int64_t rows, const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y,
                       int64_t y_stride, void* scratch) const noexcept {
  const Primitive& p = impl_->primitive;
  for (; rows > 0; --rows, a += a_stride, b += b_stride, y += y_stride)
    Call(p)
        .data(DNNL_ARG_SRC_0, p.src, a)
        .data(DNNL_ARG_SRC_1, p.src, b)
        .data(DNNL_ARG_DST, p.dst, y)
        .run({y, 1, impl_->channels, 0}, scratch);
}

}  // namespace vit
