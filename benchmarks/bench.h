// SPDX-License-Identifier: Apache-2.0
// What vit-bench asks of this folder. Times are in microseconds, of one thread unless a function says otherwise.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vit::bench {

struct Summary {
  size_t runs = 0;
  double min = 0, median = 0, p90 = 0;
  double spread = 0;  ///< of the middle half: third less first quartile, as a share of the median
};
/// Of at least one time, in any unit.
Summary summarise(std::vector<double> times);

/// GFLOP/s in float32 that `threads` threads reach together with operands in registers. Takes about 50 ms. `isa` as kernels()
/// have it; throws std::runtime_error when this CPU lacks it.
double peak_gflops(const std::string& isa, int threads);

/// A kernel of ops/kernel_list.inc against plain loops in double precision, then against the clock.
struct KernelResult {
  std::string name, shape;
  bool has_case = false, right = false;  ///< not timed unless both
  double operations = 0, bytes = 0;      ///< of a call
  Summary us;
};
/// All kernels of the list, in its order.
std::vector<KernelResult> time_kernels(const std::string& isa, double seconds);

/// Two ways to do something, timed in turn.
struct ContestResult {
  struct Side {
    std::string name;
    double operations = 0;
    Summary us;
  };
  std::string about;
  Side ours, other;
  bool right = false;  ///< both gave the same, as far as that can be asked; not timed otherwise
};
/// Steps of ours and oneDNN's on the same numbers: patches against a convolution, attention against matmul + softmax. Empty in a
/// build without oneDNN.
std::vector<ContestResult> time_against_onednn(const std::string& isa, double seconds);
/// Steps at sizes that fill no vector, tile or panel, and at sizes near them that do: operations a second are to be the same.
std::vector<ContestResult> time_awkward_shapes(const std::string& isa, double seconds);

}  // namespace vit::bench
