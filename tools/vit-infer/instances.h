// SPDX-License-Identifier: Apache-2.0
// How the threads of a run over images are divided.
#pragma once

#include <cstddef>
#include <functional>

#include "tools/common/arguments.h"

namespace vit::tool {

/// How many sessions a run over images has, and how many threads each: where there are many images each thread has a session of
/// its own, reads its own images and waits for nobody; few images share all threads. --latency, --throughput and --instances say
/// it otherwise.
struct Instances {
  size_t count = 1;
  int threads = 0;  ///< 0: what a session takes by itself
};
/// `cpus`: threads of all sessions where --threads does not say; `many`: whether there are at least so many images, which may
/// read ahead. Throws Failure(kUsage).
Instances choose_instances(const Arguments& arguments, size_t batch, int cpus, const std::function<bool(size_t)>& many);

}  // namespace vit::tool
