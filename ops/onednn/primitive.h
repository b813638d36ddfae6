// SPDX-License-Identifier: Apache-2.0
// What all classes of this folder share: one engine, serial primitives, errors in our words, and calls that cannot throw.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>

#include "ops/activation.h"
#include "ops/core/error.h"
#include "ops/core/memory.h"
#include "ops/onednn/version.h"

namespace vit::onednn {

/// The CPU and its one stream. Execution on it is stateless and runs on the calling thread, except where oneDNN was built for
/// SYCL.
struct Context {
  dnnl::engine engine;
  dnnl::stream stream;
};
const Context& context();

/// While it lives, oneDNN sees one thread: what is created runs serially, also outside a parallel region of OpenMP.
class SerialScope {
 public:
  SerialScope() noexcept;
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;

 private:
  int threads_;
};

[[noreturn]] void refuse(const char* what, const dnnl::error& error);

/// f(), with oneDNN's exceptions turned into ours. `what` begins the sentence.
template <class F>
auto guarded(const char* what, F f) {
  try {
    const SerialScope serial;
    return f();
  } catch (const dnnl::error& error) {
    refuse(what, error);
  } catch (const std::bad_alloc&) {
    throw Error(Code::kMemory, str(what, ": out of memory"));
  }
}

/// Scratch memory is the caller's.
dnnl::primitive_attr serial_attr(const dnnl::post_ops& ops = {});

/// [rows, columns] of float32. One row has no stride, so that it takes the paths of dense memory.
Desc matrix(int64_t rows, int64_t columns, int64_t stride);

struct Eltwise {
  dnnl::algorithm kind;
  float alpha;
};
/// Any activation but kNone.
Eltwise eltwise_of(Activation activation);

struct Primitive {
  dnnl::primitive call;
  Desc src, weights, dst, scratch;
  int64_t scratch_bytes = 0;
  bool reference = false;  ///< oneDNN's plain loops: right, and a hundred times slower
};

template <class P>
Primitive make_primitive(const char* what, const typename P::primitive_desc& desc) {
  VIT_CHECK(static_cast<bool>(desc), Code::kUnsupported, what, ": this oneDNN has no implementation for it");
  Primitive out;
  out.call = P(desc);
  out.src = desc.src_desc();
  out.dst = desc.dst_desc();
  out.scratch = desc.scratchpad_desc();
  out.scratch_bytes = static_cast<int64_t>(out.scratch.get_size());
  out.reference = std::strncmp(desc.impl_info_str(), "ref", 3) == 0;
  return out;
}

/// A tensor that lives as long as the class that uses it.
struct Constant {
  Buffer<float> data;
  dnnl::memory memory;
};
Constant make_constant(const Desc& desc);
Constant make_constant(const Desc& desc, const float* data);

/// Where a call's result goes.
struct Result {
  float* data;
  int64_t rows, columns, stride;
};

/// Arguments of one call. oneDNN may allocate a few hundred bytes to pass them; should even that fail, the result is NaN.
class Call {
 public:
  explicit Call(const Primitive& primitive) noexcept : primitive_(primitive) {}
  ~Call();
  Call(const Call&) = delete;
  Call& constant(int arg, const Constant& constant) noexcept;
  Call& data(int arg, const Desc& desc, const float* data) noexcept;
  void run(const Result& result, void* scratch) noexcept;

 private:
  static constexpr int kMost = 6;
  const Primitive& primitive_;
  dnnl_exec_arg_t args_[kMost];
  bool owned_[kMost];
  int count_ = 0;
  bool failed_ = false;
};

}  // namespace vit::onednn
