// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "benchmarks/bench.h"

namespace vit::bench {

Summary summarise(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  // The value that `share` of the times do not exceed.
  const auto quantile = [&](double share) {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(times.size())));
    return times[rank == 0 ? 0 : rank - 1];
  };
  const double median = quantile(0.5);
  return {times.size(), times.front(), median, quantile(0.9), median > 0 ? (quantile(0.75) - quantile(0.25)) / median : 0.0};
}

}  // namespace vit::bench
