// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vit {

/// Whether a sanitizer or an emulator makes this build ten to a hundred times slower, and memory something else than what a user
/// sees. A test that leaves something out for it says so.
constexpr bool slow_build() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

}  // namespace vit
