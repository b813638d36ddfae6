// SPDX-License-Identifier: Apache-2.0
// Pillow's and torch's resize of 8-bit RGB, bit for bit, of only the part that is wanted.
#pragma once

#include "ops/kernel_table.h"
#include "ops/pixels.h"
#include "runtime/image/recipe.h"
#include "runtime/image/resize_axis.h"

namespace vit {

/// Which pass goes first. Both round to 8 bits in between, so the order shows in the pixels.
enum class PillowOrder {
  kClassic,  ///< horizontal first, as in Pillow up to 12.1
  k13        ///< as Pillow 13: vertical first when the height shrinks by more than twice what the width does
};

struct ResizeJob {
  PixelView image;
  PixelSize size;            ///< what the whole picture would become
  AxisWindow rows, columns;  ///< the part of it that is wanted
  Filter filter = Filter::kBilinear;
  Resampler resampler = Resampler::kPillow;
  PillowOrder order = PillowOrder::kClassic;             ///< of Pillow alone
  uint64_t max_scratch_bytes = uint64_t{512} << 20;      ///< see resize()
  uint64_t max_intermediate_pixels = uint64_t{1} << 28;  ///< a few seconds
};

/// Writes rows x columns RGB pixels to dst, `stride_bytes` apart.
///
/// Scratch is at most `max_scratch_bytes`, and ordinarily a few hundred kB: the weights of both axes; a window of resized rows as
/// high as one output row's reach (the intermediate picture never exists whole); and a block of 16 source rows as wide as one
/// output column's reach. Thin pictures (1 x 10^8 pixels) would need more, or hundreds of millions of intermediate pixels:
/// Error(kMemory) says so. Throws Error(kMemory) also when a side of `size` passes 2^31 - 1.
void resize(const ResizeJob& job, const KernelTable& kernels, uint8_t* dst, int64_t stride_bytes);

}  // namespace vit
