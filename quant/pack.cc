// SPDX-License-Identifier: Apache-2.0
#include "quant/pack.h"

#include <algorithm>

#include "ops/core/checked.h"

namespace vit {

Buffer<float> pad_to_panels(int64_t channels, int64_t panel, const std::function<void(float*)>& values) {
  Buffer<float> padded(round_up(channels, panel));
  if (values) values(padded.data());
  return padded;
}

PackedLinear pack_linear(int64_t in, int64_t out, int64_t panel, const RowSource& rows, const std::function<void(float*)>& bias) {
  PackedLinear packed{in, out, panel, Buffer<float>(in * round_up(out, panel)), pad_to_panels(out, panel, bias)};
  Buffer<float> chunk(in * panel);
  constexpr int64_t kBlock = 64;  // columns of the chunk that stay in cache while they are transposed
  for (int64_t first = 0; first < out; first += panel) {
    const int64_t count = std::min(panel, out - first);
    rows(first, count, chunk.data());
    float* to = packed.weight.data() + first * in;
    for (int64_t k0 = 0; k0 < in; k0 += kBlock)
      for (int64_t c = 0; c < count; ++c)
        for (int64_t k = k0; k < std::min(k0 + kBlock, in); ++k) to[k * panel + c] = chunk[c * in + k];
  }
  return packed;
}

}  // namespace vit
