// SPDX-License-Identifier: Apache-2.0
#include "ops/onednn/primitive.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "ops/onednn/onednn.h"

// The number of threads is the OpenMP runtime's, per thread; other runtimes of oneDNN have no such switch.
#if defined(_OPENMP) && DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
#include <omp.h>
#define VIT_ONEDNN_OMP 1
#else
#define VIT_ONEDNN_OMP 0
#endif

namespace vit {
namespace onednn {

namespace {

/// oneDNN 3 reports errors on standard output, which belongs to the program; they reach the caller as exceptions of ours. Whoever
/// asks oneDNN for its reports gets them.
void keep_quiet() {
  if (std::getenv("ONEDNN_VERBOSE") == nullptr && std::getenv("DNNL_VERBOSE") == nullptr) dnnl_set_verbose(0);
}

}  // namespace

const Context& context() {
  static const Context instance = [] {
    keep_quiet();
    if (dnnl::engine::get_count(dnnl::engine::kind::cpu) == 0)
      throw Error(Code::kUnsupported,
                  str("oneDNN ", onednn_version(),
                      ": expected a CPU engine, found none; a build for SYCL needs an OpenCL driver for CPUs"));
    return guarded("oneDNN", [] {
      dnnl::engine engine(dnnl::engine::kind::cpu, 0);
      return Context{engine, dnnl::stream(engine)};
    });
  }();
  return instance;
}

#if VIT_ONEDNN_OMP
SerialScope::SerialScope() noexcept : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
SerialScope::~SerialScope() { omp_set_num_threads(threads_); }
#else
SerialScope::SerialScope() noexcept : threads_(1) {}
SerialScope::~SerialScope() { static_cast<void>(threads_); }
#endif

void refuse(const char* what, const dnnl::error& error) {
  if (error.status == dnnl_out_of_memory) throw Error(Code::kMemory, str(what, ": out of memory"));
  const Code code = error.status == dnnl_unimplemented ? Code::kUnsupported : Code::kInternal;
  throw Error(code, str(what, ": oneDNN ", onednn_version(), " says: ", error.what()));
}

dnnl::primitive_attr serial_attr(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(ops);
  return attr;
}

Desc matrix(int64_t rows, int64_t columns, int64_t stride) {
  return {{rows, columns}, dnnl::memory::data_type::f32, dnnl::memory::dims{rows == 1 ? columns : stride, 1}};
}

Eltwise eltwise_of(Activation activation) {
  switch (activation) {
    case Activation::kNone: break;
    case Activation::kGelu: return {dnnl::algorithm::eltwise_gelu_erf, 0.0f};
    case Activation::kGeluTanh: return {dnnl::algorithm::eltwise_gelu_tanh, 0.0f};
    case Activation::kQuickGelu: return {dnnl::algorithm::eltwise_swish, 1.702f};
    case Activation::kSilu: return {dnnl::algorithm::eltwise_swish, 1.0f};
    case Activation::kRelu: return {dnnl::algorithm::eltwise_relu, 0.0f};
    case Activation::kTanh: return {dnnl::algorithm::eltwise_tanh, 0.0f};
  }
  throw Error(Code::kInternal, str("oneDNN: expected an activation, got ", activation_name(activation)));
}

Constant make_constant(const Desc& desc) {
  Constant out;
  out.data = Buffer<float>(static_cast<int64_t>((desc.get_size() + sizeof(float) - 1) / sizeof(float)));
  out.memory = dnnl::memory(desc, context().engine, out.data.data());
  return out;
}

Constant make_constant(const Desc& desc, const float* data) {
  Constant out = make_constant(desc);
  std::copy_n(data, out.data.size(), out.data.data());
  return out;
}

Call::~Call() {
  for (int i = 0; i < count_; ++i)
    if (owned_[i]) dnnl_memory_destroy(args_[i].memory);
}

Call& Call::constant(int arg, const Constant& constant) noexcept {
  assert(count_ < kMost);
  args_[count_] = {arg, constant.memory.get()};
  owned_[count_++] = false;
  return *this;
}

Call& Call::data(int arg, const Desc& desc, const float* data) noexcept {
  assert(count_ < kMost);
  dnnl_memory_t memory = nullptr;
  if (dnnl_memory_create(&memory, c_handle(desc), context().engine.get(), const_cast<float*>(data)) != dnnl_success) {
    failed_ = true;
    return *this;
  }
  args_[count_] = {arg, memory};
  owned_[count_++] = true;
  return *this;
}

void Call::run(const Result& result, void* scratch) noexcept {
  if (primitive_.scratch_bytes > 0) data(DNNL_ARG_SCRATCHPAD, primitive_.scratch, static_cast<const float*>(scratch));
  try {
    const SerialScope serial;
    dnnl_stream_t stream = context().stream.get();
    failed_ = failed_ || dnnl_primitive_execute(primitive_.call.get(), stream, count_, args_) != dnnl_success ||
              dnnl_stream_wait(stream) != dnnl_success;
  } catch (const std::bad_alloc&) {
    failed_ = true;
  }
  if (!failed_) return;
  for (int64_t r = 0; r < result.rows; ++r)
    std::fill_n(result.data + r * result.stride, result.columns, std::numeric_limits<float>::quiet_NaN());
}

}  // namespace onednn

const char* onednn_version() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return str(v->major, '.', v->minor, '.', v->patch);
  }();
  return text.c_str();
}

void onednn_cap_isa(Isa isa) {
  if (isa == Isa::kNeon) return;  // oneDNN has no cap on Arm
  const dnnl::cpu_isa cap = isa == Isa::kSse2   ? dnnl::cpu_isa::sse41
                            : isa == Isa::kAvx2 ? dnnl::cpu_isa::avx2
                                                : dnnl::cpu_isa::avx512_core;
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  static_cast<void>(dnnl::set_max_cpu_isa(cap));  // refused after the first primitive: what counts is what is in force
  // Each set's number has the bits of those that it contains.
  const unsigned wanted = static_cast<unsigned>(cap), in_force = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  VIT_CHECK((in_force & ~wanted) == 0, Code::kUnsupported, "oneDNN: expected to be held to ", isa_name(isa),
            ", but this process has used it with a wider instruction set already; it decides once a process");
}

}  // namespace vit
