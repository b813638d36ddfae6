// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/resize.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "ops/core/error.h"
#include "ops/core/memory.h"

namespace vit {
namespace {

constexpr int64_t kBlock = 16;          ///< rows that resize_transpose_in() takes together
constexpr int64_t kChunkColumns = 512;  ///< source columns that are transposed together: 24 kB, half of a first-level cache

/// Bytes of scratch that are left to take.
struct Budget {
  uint64_t left;
  int64_t take(int64_t count, int64_t bytes_each) {
    const uint64_t need = static_cast<uint64_t>(count) * static_cast<uint64_t>(bytes_each);  // sides are below 2^31
    VIT_CHECK(need <= left, Code::kMemory, "resizing this picture would take ", need, " bytes of scratch, the limit leaves ",
              left);
    left -= need;
    return count * bytes_each;
  }
};

/// The horizontal pass over a few rows at a time.
class RowResizer {
 public:
  /// `axis` must outlive this.
  RowResizer(const ResizeAxis& axis, const KernelTable& kernels, Budget& budget)
      : axis_(axis),
        kernels_(kernels),
        chunk_columns_(std::max(axis.most_taps(), kChunkColumns)),
        chunk_(budget.take(chunk_columns_, 3 * kBlock)),
        result_(budget.take(axis.size(), 3 * kBlock)) {}

  /// Source column `src_column`, not right of the first that the axis needs, stands at src; rows <= kBlock.
  void run(const uint8_t* src, int64_t src_column, int64_t src_stride, int64_t rows, uint8_t* dst, int64_t dst_stride) const {
    int64_t loaded_begin = 0, loaded_end = 0;
    for (int64_t i = 0; i < axis_.size(); ++i) {
      if (axis_.last(i) > loaded_end) {
        loaded_begin = axis_.first(i);
        loaded_end = std::min(loaded_begin + chunk_columns_, axis_.last(axis_.size() - 1));
        kernels_.resize_transpose_in(src + 3 * (loaded_begin - src_column), src_stride, rows, 3 * (loaded_end - loaded_begin),
                                     chunk_.data());
      }
      kernels_.resize_rows(chunk_.data() + (axis_.first(i) - loaded_begin) * 3 * kBlock, 3 * kBlock, axis_.weights(i),
                           axis_.taps(i), 3 * kBlock, result_.data() + i * 3 * kBlock);
    }
    kernels_.resize_transpose_out(result_.data(), rows, 3 * axis_.size(), dst, dst_stride);
  }

 private:
  const ResizeAxis& axis_;
  const KernelTable& kernels_;
  int64_t chunk_columns_;
  Buffer<uint8_t> chunk_;   ///< [columns][3][kBlock]
  Buffer<uint8_t> result_;  ///< [axis.size()][3][kBlock]
};

const uint8_t* at(const PixelView& image, int64_t y, int64_t x) { return image.data + y * image.stride_bytes + 3 * x; }

/// Horizontal, then vertical: a window of resized rows slides down the picture.
void horizontal_first(const ResizeJob& job, const ResizeAxis& x, const ResizeAxis& y, const KernelTable& kernels, Budget budget,
                      uint8_t* dst, int64_t stride) {
  const int64_t first = y.first(0), last = y.last(y.size() - 1), row_bytes = 3 * x.size();
  VIT_CHECK(static_cast<uint64_t>(last - first) * static_cast<uint64_t>(x.size()) <= job.max_intermediate_pixels, Code::kMemory,
            "resizing this picture goes through ", last - first, " rows of ", x.size(), " pixels, the limit is ",
            job.max_intermediate_pixels, " pixels");
  const RowResizer resizer(x, kernels, budget);
  // Twice the reach of an output row: the window moves to the front of the buffer each time it has run through it.
  const int64_t reach = y.most_taps(), capacity = std::min(last - first, 2 * reach + kBlock);
  const Buffer<uint8_t> window(budget.take(capacity, row_bytes));
  int64_t begin = first, end = first;  // rows of the source that stand in the window

  for (int64_t i = 0; i < y.size(); ++i) {
    if (y.first(i) > end) begin = end = y.first(i);  // a row between two reaches, by rounding
    while (end < y.last(i)) {
      if (end - begin == capacity) {
        const int64_t keep = end - y.first(i);
        std::memmove(window.data(), window.data() + (y.first(i) - begin) * row_bytes, static_cast<size_t>(keep * row_bytes));
        begin = y.first(i);
      }
      const int64_t rows = std::min({kBlock, last - end, capacity - (end - begin)});
      resizer.run(at(job.image, end, 0), 0, job.image.stride_bytes, rows, window.data() + (end - begin) * row_bytes, row_bytes);
      end += rows;
    }
    kernels.resize_rows(window.data() + (y.first(i) - begin) * row_bytes, row_bytes, y.weights(i), y.taps(i), row_bytes,
                        dst + i * stride);
  }
}

/// Vertical, then horizontal: blocks of rows of the source's width.
void vertical_first(const ResizeJob& job, const ResizeAxis& x, const ResizeAxis& y, const KernelTable& kernels, Budget budget,
                    uint8_t* dst, int64_t stride) {
  const int64_t first = x.first(0), row_bytes = 3 * (x.last(x.size() - 1) - first);
  const RowResizer resizer(x, kernels, budget);
  const Buffer<uint8_t> block(budget.take(kBlock, row_bytes));
  for (int64_t i = 0; i < y.size(); i += kBlock) {
    const int64_t rows = std::min(kBlock, y.size() - i);
    for (int64_t r = 0; r < rows; ++r)
      kernels.resize_rows(at(job.image, y.first(i + r), first), job.image.stride_bytes, y.weights(i + r), y.taps(i + r),
                          row_bytes, block.data() + r * row_bytes);
    resizer.run(block.data(), first, row_bytes, rows, dst + i * stride, stride);
  }
}

void horizontal_only(const ResizeJob& job, const ResizeAxis& x, const KernelTable& kernels, Budget budget, uint8_t* dst,
                     int64_t stride) {
  const RowResizer resizer(x, kernels, budget);
  for (int64_t i = 0; i < job.rows.size(); i += kBlock)
    resizer.run(at(job.image, job.rows.begin + i, 0), 0, job.image.stride_bytes, std::min(kBlock, job.rows.size() - i),
                dst + i * stride, stride);
}

void vertical_only(const ResizeJob& job, const ResizeAxis& y, const KernelTable& kernels, uint8_t* dst, int64_t stride) {
  for (int64_t i = 0; i < y.size(); ++i)
    kernels.resize_rows(at(job.image, y.first(i), job.columns.begin), job.image.stride_bytes, y.weights(i), y.taps(i),
                        3 * job.columns.size(), dst + i * stride);
}

void copy(const ResizeJob& job, uint8_t* dst, int64_t stride) {
  for (int64_t i = 0; i < job.rows.size(); ++i)
    std::memcpy(dst + i * stride, at(job.image, job.rows.begin + i, job.columns.begin),
                static_cast<size_t>(3 * job.columns.size()));
}

void nearest(const ResizeJob& job, uint8_t* dst, int64_t stride) {
  const auto axis = job.resampler == Resampler::kTorch ? torch_nearest_axis : nearest_axis;
  const std::vector<int64_t> y = axis(job.image.height, job.size.height, job.rows);
  const std::vector<int64_t> x = axis(job.image.width, job.size.width, job.columns);
  for (size_t i = 0; i < y.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) {
      uint8_t* const to = dst + static_cast<int64_t>(i) * stride + 3 * static_cast<int64_t>(j);
      if (y[i] >= 0 && x[j] >= 0)
        std::memcpy(to, at(job.image, y[i], x[j]), 3);
      else
        std::memset(to, 0, 3);
    }
}

bool goes_vertical_first(const ResizeJob& job) {
  const int64_t rows_lost = job.image.height - job.size.height, columns_lost = job.image.width - job.size.width;
  return job.resampler == Resampler::kPillow && job.order == PillowOrder::k13 && rows_lost > 0 && rows_lost > 2 * columns_lost;
}

}  // namespace

void resize(const ResizeJob& job, const KernelTable& kernels, uint8_t* dst, int64_t stride_bytes) {
  assert(job.rows.begin >= 0 && job.rows.begin < job.rows.end && job.rows.end <= job.size.height);
  assert(job.columns.begin >= 0 && job.columns.begin < job.columns.end && job.columns.end <= job.size.width);
  const bool across = job.image.width != job.size.width, down = job.image.height != job.size.height;
  if (!across && !down) return copy(job, dst, stride_bytes);
  VIT_CHECK(std::max(job.size.height, job.size.width) <= INT32_MAX, Code::kMemory, "resizing this picture of ", job.image.width,
            "x", job.image.height, " would make it ", job.size.width, "x", job.size.height, ", more than Pillow can do");
  if (job.filter == Filter::kNearest) return nearest(job, dst, stride_bytes);

  Budget budget{job.max_scratch_bytes};
  const auto axis = [&](int64_t from, int64_t to, AxisWindow window) {
    ResizeAxis made(from, to, window, job.filter, job.resampler, budget.left);
    budget.left -= made.weights_bytes();
    return made;
  };
  if (!down) return horizontal_only(job, axis(job.image.width, job.size.width, job.columns), kernels, budget, dst, stride_bytes);
  if (!across) return vertical_only(job, axis(job.image.height, job.size.height, job.rows), kernels, dst, stride_bytes);
  const ResizeAxis x = axis(job.image.width, job.size.width, job.columns), y = axis(job.image.height, job.size.height, job.rows);
  if (goes_vertical_first(job))
    vertical_first(job, x, y, kernels, budget, dst, stride_bytes);
  else
    horizontal_first(job, x, y, kernels, budget, dst, stride_bytes);
}

}  // namespace vit
