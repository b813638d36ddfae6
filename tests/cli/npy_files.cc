// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/npy_files.h"

#include "tools/common/npy.h"

namespace vit {

Npy read_npy(const std::string& path) {
  tool::NpyReader reader(path);
  Npy out{reader.shape(), {}};
  size_t count = 1;
  for (const size_t axis : out.shape) count *= axis;
  out.values.resize(count);
  reader.read(out.values.data(), count);
  return out;
}

}  // namespace vit
