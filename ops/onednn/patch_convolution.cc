// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/patch_convolution.h"

#include "ops/core/checked.h"
#include "ops/onednn/primitive.h"

namespace vit {

using namespace onednn;

namespace {

constexpr const char* kWhat = "a convolution of patches";
constexpr auto kFloat = dnnl::memory::data_type::f32;

void reorder(const dnnl::memory& from, const dnnl::memory& to) {
  dnnl::memory source = from, target = to;
  dnnl::stream stream = context().stream;
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

}  // namespace

struct OneDnnPatchConvolution::Impl {
  OneDnnPatchParams params;
  Primitive primitive;
  Constant weights, result;
  Buffer<float> scratch;
};

OneDnnPatchConvolution::OneDnnPatchConvolution(const OneDnnPatchParams& params) : impl_(std::make_unique<Impl>()) {
  impl_->params = params;
  guarded(kWhat, [&] {
    const int64_t side = params.side, patch = params.patch, grid = side / patch;
    const Desc image({1, 3, side, side}, kFloat, dnnl::memory::format_tag::nchw);
    const dnnl::memory::dims kernel{params.out, 3, patch, patch}, grids{1, params.out, grid, grid};
    const auto desc = describe_convolution(context().engine, image, Desc(kernel, kFloat, dnnl::memory::format_tag::any),
                                           Desc(grids, kFloat, dnnl::memory::format_tag::any), patch, serial_attr());
    impl_->primitive = make_primitive<dnnl::convolution_forward>(kWhat, desc);
    impl_->weights = make_constant(desc.weights_desc());
    const Constant given = make_constant(Desc(kernel, kFloat, dnnl::memory::format_tag::oihw), params.weight);
    reorder(given.memory, impl_->weights.memory);
    impl_->result = make_constant(impl_->primitive.dst);
    impl_->scratch = Buffer<float>(ceil_div(impl_->primitive.scratch_bytes, static_cast<int64_t>(sizeof(float))));
  });
}
OneDnnPatchConvolution::~OneDnnPatchConvolution() = default;

void OneDnnPatchConvolution::run(const float* planes) {
  const int64_t floats = impl_->result.data.size();
  Call(impl_->primitive)
      .data(DNNL_ARG_SRC, impl_->primitive.src, planes)
      .constant(DNNL_ARG_WEIGHTS, impl_->weights)
      .constant(DNNL_ARG_DST, impl_->result)
      .run({impl_->result.data.data(), 1, floats, floats}, impl_->scratch.data());
}

void OneDnnPatchConvolution::copy_result(float* to) const {
  guarded(kWhat, [&] {
    const int64_t grid = impl_->params.side / impl_->params.patch;
    const Constant plain = make_constant(Desc({1, impl_->params.out, grid, grid}, kFloat, dnnl::memory::format_tag::nhwc));
    reorder(impl_->result.memory, plain.memory);
    std::copy_n(plain.data.data(), plain.data.size(), to);
  });
}

}  // namespace vit
