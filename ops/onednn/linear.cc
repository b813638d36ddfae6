// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/linear.h"

#include <optional>
#include <string>
#include <vector>

#include "ops/onednn/primitive.h"
#include "ops/onednn/reserved.h"

namespace vit {

using namespace onednn;

namespace {
constexpr int64_t kTypicalRows = 64;  ///< for which the layout of the weights is chosen
constexpr const char* kWhat = "a linear layer";
}  // namespace

struct OneDnnLinear::Impl {
  struct Entry {
    Primitive primitive;
    size_t layout = 0;
    int64_t rows = 0;
    int64_t scratch_bytes() const { return primitive.scratch_bytes; }
  };

  OneDnnLinearParams params;
  dnnl::primitive_attr attr;
  Desc bias_desc;
  std::optional<Constant> bias;
  std::vector<Constant> layouts;
  std::string implementation;
  std::optional<ReservedRows<Entry>> reserved;

  dnnl::matmul::primitive_desc describe(int64_t rows, const Desc& weights) const {
    return describe_matmul(context().engine, matrix(rows, params.in, params.x_stride), weights, bias ? &bias_desc : nullptr,
                           matrix(rows, params.out, params.y_stride), attr);
  }
  Desc any_layout() const { return {{params.in, params.out}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any}; }

  void pack(const dnnl::memory& from, const Desc& to) {
    Constant packed = make_constant(to);
    dnnl::memory source = from;
    dnnl::stream stream = context().stream;
    dnnl::reorder(source, packed.memory).execute(stream, source, packed.memory);
    stream.wait();
    layouts.push_back(std::move(packed));
  }

  Entry make(int64_t rows) {
    for (size_t i = 0; i < layouts.size(); ++i) {
      const auto desc = describe(rows, layouts[i].memory.get_desc());
      if (!desc) continue;
      Entry entry{make_primitive<dnnl::matmul>(kWhat, desc), i, rows};
      if (!entry.primitive.reference) return entry;
    }
    const auto desc = describe(rows, any_layout());
    Entry entry{make_primitive<dnnl::matmul>(kWhat, desc), layouts.size(), rows};
    pack(layouts[0].memory, desc.weights_desc());
    return entry;
  }
};

OneDnnLinear::OneDnnLinear(const OneDnnLinearParams& params) : impl_(std::make_unique<Impl>()) {
  VIT_CHECK(params.in > 0 && params.out > 0 && params.x_stride >= params.in && params.y_stride >= params.out, Code::kInternal,
            "a linear layer: ", params.in, " to ", params.out, " channels do not fit strides of ", params.x_stride, " and ",
            params.y_stride);
  Impl& impl = *impl_;
  impl.params = params;
  const auto channels = static_cast<size_t>(params.out), inputs = static_cast<size_t>(params.in);
  // A plain copy unless LayerScale is folded in; dropped when it is packed.
  std::vector<float> weight(params.weight, params.weight + channels * inputs);
  std::vector<float> bias(channels);
  if (params.bias) bias.assign(params.bias, params.bias + channels);
  if (params.gamma) {
    for (size_t n = 0; n < channels; ++n) {
      bias[n] *= params.gamma[n];
      for (size_t k = 0; k < inputs; ++k) weight[n * inputs + k] *= params.gamma[n];
    }
  }
  impl.params.weight = impl.params.bias = impl.params.gamma = nullptr;
  guarded(kWhat, [&] {
    dnnl::post_ops ops;
    if (params.accumulate) ops.append_sum(1.0f);
    if (params.activation != Activation::kNone) {
      const Eltwise e = eltwise_of(params.activation);
      append_eltwise(ops, e.kind, e.alpha, 0.0f);
    }
    impl.attr = serial_attr(ops);
    if (params.bias) {
      impl.bias_desc = matrix(1, params.out, params.out);
      impl.bias = make_constant(impl.bias_desc, bias.data());
    }
    const auto desc = impl.describe(kTypicalRows, impl.any_layout());
    VIT_CHECK(static_cast<bool>(desc), Code::kUnsupported, kWhat, ": this oneDNN has no implementation for it");
    impl.implementation = desc.impl_info_str();
    const Desc plain{{params.in, params.out}, dnnl::memory::data_type::f32, dnnl::memory::dims{1, params.in}};
    impl.pack(dnnl::memory(plain, context().engine, weight.data()), desc.weights_desc());
    impl.reserved.emplace(impl.make(1));
  });
}
OneDnnLinear::OneDnnLinear(OneDnnLinear&&) noexcept = default;
OneDnnLinear::~OneDnnLinear() = default;

int64_t OneDnnLinear::scratch_bytes(int64_t max_rows) const {
  return impl_->reserved->promise(guarded(kWhat, [&] { return impl_->make(std::max<int64_t>(max_rows, 1)); }));
}

void OneDnnLinear::reserve(int64_t rows) {
  impl_->reserved->reserve(rows, [&](int64_t n) { return guarded(kWhat, [&] { return impl_->make(n); }); });
}

void OneDnnLinear::run(int64_t rows, const float* x, float* y, void* scratch) const noexcept {
  const Impl& impl = *impl_;
  impl.reserved->for_pieces(rows, [&](const Impl::Entry& entry, int64_t at) {
    const Primitive& p = entry.primitive;
    float* to = y + at * impl.params.y_stride;
    Call call(p);
    call.data(DNNL_ARG_SRC, p.src, x + at * impl.params.x_stride).data(DNNL_ARG_DST, p.dst, to);
    call.constant(DNNL_ARG_WEIGHTS, impl.layouts[entry.layout]);
    if (impl.bias) call.constant(DNNL_ARG_BIAS, *impl.bias);
    call.run({to, entry.rows, impl.params.out, impl.params.y_stride}, scratch);
  });
}

int64_t OneDnnLinear::in() const { return impl_->params.in; }
int64_t OneDnnLinear::out() const { return impl_->params.out; }
const char* OneDnnLinear::implementation() const { return impl_->implementation.c_str(); }

}  // namespace vit
