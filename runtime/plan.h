// SPDX-License-Identifier: Apache-2.0
// A graph made ready to run: fused steps, the buffers between them, and where threads must wait.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ops/attention.h"
#include "ops/kernel_table.h"
#include "ops/step.h"
#include "quant/pack.h"
#include "quant/policy.h"
#include "runtime/graph.h"
#include "runtime/model.h"

namespace vit {

enum class Backend { kOwn, kOneDnn };

/// What a buffer's rows are.
enum class BufferKind {
  kRows,         ///< tokens of the images in flight
  kImages,       ///< images in flight
  kKeys,         ///< HeadLayout::key_floats() for each padded row in flight
  kValues,       ///< HeadLayout::value_floats()
  kResultRows,   ///< tokens of the whole batch
  kResultImages  ///< images of the whole batch
};

struct PlanBuffer {
  BufferKind kind = BufferKind::kRows;
  int64_t stride = 0;
};

struct PlanResult {
  std::string node;
  BufferRef buffer;
  int64_t channels = 0;
  Domain domain = Domain::kRows;
};

/// Floats and bytes that a step reads or writes at least once.
struct StepTraffic {
  int64_t weight_bytes = 0;      ///< in a run over some images
  int64_t row_floats = 0;        ///< for each row that it works on
  int64_t image_row_floats = 0;  ///< for each row of an image, when it reads them all
};

/// Has a step drop or merge tokens behind a node. The step runs over images (`work`, which the plan sets): from all rows of `x`
/// it writes an image's remaining rows to `y`, from its first row on and prefix tokens first, and describes them in the next
/// stage's lists of the pass: their number, and what each is. It may keep all rows, not make more.
struct TokenSelection {
  std::string after;
  std::function<std::unique_ptr<Step>(const Node& node, BufferRef x, BufferRef y)> make;
};

struct PlanOptions {
  const KernelTable* kernels = nullptr;
  Backend backend = Backend::kOwn;
  Precision precision = Precision::kF32;
  std::shared_ptr<const QuantPolicy> policy = nullptr;  ///< of single layers; null: `precision` for all that it is meant for
  Output want = Output::kLogits;
  bool pixels = true;  ///< 8-bit pixels in, else float planes
  std::vector<std::string> taps;
  std::vector<TokenSelection> selections = {};
  Packing packing = {};  ///< of weights
};

/// Immutable but for what its steps reserve; runs belong to a Session.
struct Plan {
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<bool> barrier_before;          ///< of each step, when several threads share the images
  std::vector<bool> barrier_before_many;     ///< the same where they are so many that they share columns
  std::vector<StepTraffic> traffic;          ///< of each step
  std::vector<std::vector<int>> dead_after;  ///< row buffers that only their own rows' thread read, and nobody will again
  std::vector<PlanBuffer> buffers;
  std::vector<PlanResult> results;  ///< the output first, then the taps
  int64_t prefix_rows = 0, patch_height = 0, patch_width = 0, embed_dim = 0, image_channels = 3;
  int64_t key_rows_multiple = 1;               ///< an image's rows in key and value buffers are rounded up to this
  const PositionWeights* positions = nullptr;  ///< null: none
  Backend backend = Backend::kOwn;
  Precision precision = Precision::kF32;
  std::shared_ptr<const QuantPolicy> policy;
  int64_t weight_bytes = 0;  ///< packed, those shared with other plans of the model too
  int64_t few_rows = 0;      ///< a thread that has less of them multiplies faster than weights come
  int stages = 1;            ///< lists of rows: 1 + the number of token selections

  int barriers() const;
};

/// Throws Error(kArgument) when the output or a tap does not exist, Error(kMemory).
Plan compile(const Model& model, const PlanOptions& options);

/// Outputs and taps that compile() would accept: nodes that are computed as such and not inside a fused step.
bool can_tap(const Graph& graph, int node);

}  // namespace vit
