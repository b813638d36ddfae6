// SPDX-License-Identifier: Apache-2.0
// What differs between oneDNN 2.6 and 3.x, in one place: descriptors are made in two steps or in one, and post-ops have other
// arguments. Each function returns an empty descriptor where oneDNN has no implementation.
#pragma once

#include <dnnl.hpp>

namespace vit::onednn {

using Desc = dnnl::memory::desc;

#if DNNL_VERSION_MAJOR >= 3

using Softmax = dnnl::softmax_forward;

inline const_dnnl_memory_desc_t c_handle(const Desc& desc) { return desc.get(); }

inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm kind, float alpha, float beta) {
  ops.append_eltwise(kind, alpha, beta);
}

inline dnnl::matmul::primitive_desc describe_matmul(const dnnl::engine& engine, const Desc& src, const Desc& weights,
                                                    const Desc* bias, const Desc& dst, const dnnl::primitive_attr& attr) {
  return bias ? dnnl::matmul::primitive_desc(engine, src, weights, *bias, dst, attr, true)
              : dnnl::matmul::primitive_desc(engine, src, weights, dst, attr, true);
}
inline Softmax::primitive_desc describe_softmax(const dnnl::engine& engine, const Desc& rows, const dnnl::primitive_attr& attr) {
  return {engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, rows, rows, 1, attr, true};
}
inline dnnl::layer_normalization_forward::primitive_desc describe_layer_norm(const dnnl::engine& engine, const Desc& rows,
                                                                             float eps, dnnl::normalization_flags flags,
                                                                             const dnnl::primitive_attr& attr) {
  return {engine, dnnl::prop_kind::forward_inference, rows, rows, eps, flags, attr, true};
}
inline dnnl::eltwise_forward::primitive_desc describe_eltwise(const dnnl::engine& engine, dnnl::algorithm kind, const Desc& rows,
                                                              float alpha, const dnnl::primitive_attr& attr) {
  return {engine, dnnl::prop_kind::forward_inference, kind, rows, rows, alpha, 0.0f, attr, true};
}
inline dnnl::binary::primitive_desc describe_binary(const dnnl::engine& engine, dnnl::algorithm kind, const Desc& a,
                                                    const Desc& b, const Desc& dst, const dnnl::primitive_attr& attr) {
  return {engine, kind, a, b, dst, attr, true};
}
inline dnnl::convolution_forward::primitive_desc describe_convolution(const dnnl::engine& engine, const Desc& src,
                                                                      const Desc& weights, const Desc& dst, int64_t stride,
                                                                      const dnnl::primitive_attr& attr) {
  return {engine,
          dnnl::prop_kind::forward_inference,
          dnnl::algorithm::convolution_direct,
          src,
          weights,
          dst,
          {stride, stride},
          {0, 0},
          {0, 0},
          attr,
          true};
}

#else

using Softmax = dnnl::softmax_v2_forward;

inline const dnnl_memory_desc_t* c_handle(const Desc& desc) { return &desc.data; }

inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm kind, float alpha, float beta) {
  ops.append_eltwise(1.0f, kind, alpha, beta);
}

inline dnnl::matmul::primitive_desc describe_matmul(const dnnl::engine& engine, const Desc& src, const Desc& weights,
                                                    const Desc* bias, const Desc& dst, const dnnl::primitive_attr& attr) {
  return {bias ? dnnl::matmul::desc(src, weights, *bias, dst) : dnnl::matmul::desc(src, weights, dst), attr, engine, true};
}
inline Softmax::primitive_desc describe_softmax(const dnnl::engine& engine, const Desc& rows, const dnnl::primitive_attr& attr) {
  return {Softmax::desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, rows, rows, 1), attr, engine,
          true};
}
inline dnnl::layer_normalization_forward::primitive_desc describe_layer_norm(const dnnl::engine& engine, const Desc& rows,
                                                                             float eps, dnnl::normalization_flags flags,
                                                                             const dnnl::primitive_attr& attr) {
  return {dnnl::layer_normalization_forward::desc(dnnl::prop_kind::forward_inference, rows, eps, flags), attr, engine, true};
}
inline dnnl::eltwise_forward::primitive_desc describe_eltwise(const dnnl::engine& engine, dnnl::algorithm kind, const Desc& rows,
                                                              float alpha, const dnnl::primitive_attr& attr) {
  return {dnnl::eltwise_forward::desc(dnnl::prop_kind::forward_inference, kind, rows, alpha, 0.0f), attr, engine, true};
}
inline dnnl::binary::primitive_desc describe_binary(const dnnl::engine& engine, dnnl::algorithm kind, const Desc& a,
                                                    const Desc& b, const Desc& dst, const dnnl::primitive_attr& attr) {
  return {dnnl::binary::desc(kind, a, b, dst), attr, engine, true};
}
inline dnnl::convolution_forward::primitive_desc describe_convolution(const dnnl::engine& engine, const Desc& src,
                                                                      const Desc& weights, const Desc& dst, int64_t stride,
                                                                      const dnnl::primitive_attr& attr) {
  return {dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src, weights,
                                          dst, {stride, stride}, {0, 0}, {0, 0}),
          attr, engine, true};
}

#endif

}  // namespace vit::onednn
