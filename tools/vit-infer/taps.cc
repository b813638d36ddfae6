// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/taps.h"

#include <set>

#include "tools/common/failure.h"

namespace vit::tool {
namespace {
constexpr const char* kPixels = "pixels";
}

Taps::Taps(const std::vector<std::string>& specs, bool one, const std::string& output) {
  std::set<std::string> files{output}, nodes;
  for (const std::string& spec : specs) {
    const size_t equals = spec.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == spec.size() || spec.substr(equals + 1) == "-")
      throw Failure(kUsage, "--tap: expected NODE=FILE.npy, found '" + spec + "'");
    const std::string node = spec.substr(0, equals), file = spec.substr(equals + 1);
    if (!files.insert(file).second) throw Failure(kUsage, "--tap: " + file + " is written twice");
    if (!nodes.insert(node).second) throw Failure(kUsage, "--tap: the node " + node + " is named twice");
    Tap tap{node, std::make_unique<Output>(file), nullptr};
    tap.writer = std::make_unique<NpyWriter>(*tap.output, node == kPixels ? NpyType::kUint8 : NpyType::kFloat32);
    if (node == kPixels && one) tap.writer->drop_first_axis();
    taps_.push_back(std::move(tap));
  }
}

std::vector<std::string> Taps::nodes() const {
  std::vector<std::string> names;
  for (const Tap& tap : taps_)
    if (tap.node != kPixels) names.push_back(tap.node);
  return names;
}

bool Taps::wants_pixels() const {
  for (const Tap& tap : taps_)
    if (tap.node == kPixels) return true;
  return false;
}

void Taps::collect(const Session& session) {
  std::vector<Array> values(taps_.size());
  Pixels pixels;
  for (size_t i = 0; i < taps_.size(); ++i) {
    if (taps_[i].node == kPixels) {
      pixels = session.pixels();
      values[i].shape = {1, pixels.height, pixels.width, 3};
    } else {
      values[i] = session.tap(taps_[i].node);
    }
    taps_[i].writer->require_fit(values[i].shape);
  }
  for (size_t i = 0; i < taps_.size(); ++i)
    taps_[i].writer->append(values[i].shape,
                            taps_[i].node == kPixels ? static_cast<const void*>(pixels.values.data()) : values[i].values.data());
  ++collected_;
}

void Taps::finish() {
  if (collected_ == 0) return;
  for (Tap& tap : taps_) {
    tap.writer->finish();
    tap.output->commit();
  }
}

}  // namespace vit::tool
