// SPDX-License-Identifier: Apache-2.0
// A step of a plan: prepared work that cannot fail any more, and what a thread is told when it runs its share of one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "ops/core/checked.h"
#include "ops/pixels.h"
#include "ops/token_map.h"

namespace vit {

/// A float buffer of the plan: rows `stride` apart. What a row is (a token, an image) is the step's business.
struct BufferRef {
  int id = -1;
  int64_t stride = 0;
};

/// Distance of rows in a buffer of `channels` columns: whole cache lines, and an odd number of them, so that the rows of a tile
/// fall into different sets of the first-level cache.
constexpr int64_t row_stride(int64_t channels) {
  const int64_t lines = ceil_div(channels, 16);
  return (lines % 2 ? lines : lines + 1) * 16;
}

/// Rows of one image at one stage of a run: token selection makes a later stage with fewer.
struct ImageRows {
  int64_t begin = 0;  ///< first row in the row buffers
  int64_t count = 0;
  int64_t key_begin = 0;  ///< first row in the key and value buffers, a multiple of the panel's columns
};

/// One image of a run.
struct ImageRun {
  int64_t index = 0;       ///< in the batch
  int64_t slot = 0;        ///< row in buffers that have one row an image
  int64_t result_row = 0;  ///< first row in results that have one row a token
  int64_t grid_height = 0, grid_width = 0;
  PixelView pixels;               ///< 8-bit input, or
  const float* planes = nullptr;  ///< float input [channels, plane_height, plane_width]
  int64_t plane_height = 0, plane_width = 0;
  const float* positions = nullptr;  ///< [grid_height * grid_width, C], rows adjacent; null without positions
};

/// What a step runs over; the plan and the steps agree on ownership: a thread owns a range of the rows of all images together,
/// and the images whose first row it owns.
enum class Over { kRows, kPrefixRows, kImages };

/// Who computes a row's columns: the thread that owns the row; where a pass has many threads, several of them, each its share of
/// the columns for all their rows; or in every pass all threads, for all rows.
enum class Columns { kOwn, kSharedByMany, kShared };

struct Work {
  Over over = Over::kRows;
  int stage = 0;
  int64_t prefix_rows = 0;  ///< for kPrefixRows: so many of each image (row demand)
  Columns columns = Columns::kOwn;
};

/// One thread's view of a run over some images.
struct Pass {
  int thread = 0, threads = 1;  ///< of those that share these images
  int column_threads = 1;       ///< so many, one after the other, share columns; divides `threads`
  const ImageRun* images = nullptr;
  int image_count = 0;
  ImageRows* const* rows = nullptr;    ///< [stage][image]
  TokenInfo* const* tokens = nullptr;  ///< [stage][buffer row]
  float* const* buffers = nullptr;     ///< by BufferRef::id
  float* scratch = nullptr;            ///< this thread's own

  float* row(BufferRef buffer, int64_t row) const { return buffers[buffer.id] + row * buffer.stride; }

  int sharing(const Work& work) const {
    return work.columns == Columns::kShared ? threads : work.columns == Columns::kSharedByMany ? column_threads : 1;
  }
  /// As one thread sees it that has the rows of all that share columns with this one.
  Pass together(const Work& work) const {
    Pass pass = *this;
    pass.thread /= sharing(work), pass.threads /= sharing(work);
    return pass;
  }
  /// This thread's share of `parts` parts of a row: where it begins, or the one of `after` threads later.
  int64_t share(const Work& work, int64_t parts, int after = 0) const {
    return parts * (thread % sharing(work) + after) / sharing(work);
  }

  /// Calls f(image, begin, end) for each run of buffer rows that this thread owns of `work`.
  template <class F>
  void for_each(const Work& work, F f) const {
    const ImageRows* image_rows = rows[work.stage];
    int64_t total = 0;
    for (int i = 0; i < image_count; ++i) total += image_rows[i].count;
    const int64_t first = total * thread / threads, last = total * (thread + 1) / threads;
    int64_t at = 0;  // of the image's first row among all
    for (int i = 0; i < image_count; at += image_rows[i].count, ++i) {
      const ImageRows& r = image_rows[i];
      if (work.over == Over::kImages) {
        if (first <= at && at < last) f(i, images[i].slot, images[i].slot + 1);
        continue;
      }
      const int64_t rows_here = work.over == Over::kPrefixRows ? std::min(work.prefix_rows, r.count) : r.count;
      const int64_t begin = std::max<int64_t>(first - at, 0), end = std::min(last - at, rows_here);
      if (begin < end) f(i, r.begin + begin, r.begin + end);
    }
  }
};

/// Which rows' results a step must see finished: its own thread's, or all rows of the image.
enum class Scope { kRow, kImage };

/// What the plan knows of a buffer that a step touches.
struct Access {
  int buffer = -1;
  Scope scope = Scope::kRow;
};

class Step {
 public:
  virtual ~Step() = default;
  std::string name;            ///< of the node whose value it makes
  std::string implementation;  ///< "own", "onednn ..."
  Work work;

  /// Floats of scratch that a thread needs when no image has more than `max_rows` rows.
  virtual int64_t scratch_floats(int64_t max_rows) const {
    (void)max_rows;
    return 0;
  }
  /// Told before a run which row count a thread may get, in one call of for_each's f. May allocate and throw.
  virtual void reserve(int64_t rows, int64_t image_rows) {
    (void)rows;
    (void)image_rows;
  }
  /// This thread's share. Knows of no other thread.
  virtual void run(const Pass& pass) const noexcept = 0;
  /// Floating-point operations of this thread's share.
  virtual double operations(const Pass& pass) const noexcept {
    (void)pass;
    return 0;
  }
};

/// Cuts [begin, end) into pieces of at most `most` rows, as equal as they can be, and calls f(begin, rows).
template <class F>
void for_tiles(int64_t begin, int64_t end, int64_t most, F f) {
  const int64_t rows = end - begin, tiles = ceil_div(rows, most);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t from = rows * t / tiles, to = rows * (t + 1) / tiles;
    f(begin + from, to - from);
  }
}

}  // namespace vit
