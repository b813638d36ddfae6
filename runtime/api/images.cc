// SPDX-License-Identifier: Apache-2.0
// vit.h: images in, answers out.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "runtime/api/handles.h"

namespace {

using vit::Code;
using vit::Error;
using vit::str;

/// Images that one run of the engine takes when more are given: enough for every thread, few enough for memory.
constexpr size_t kImagesAtOnce = 16;

void check_images(const vit_session* session, const vit_image* images, size_t count) {
  vit::require(session, "session");
  vit::require(images, "images");
  VIT_CHECK(count >= 1, Code::kArgument, "count: expected at least one image");
  VIT_CHECK(session->model->config().channels == 3, Code::kArgument, session->model->path(), ": expects ",
            session->model->config().channels, " channels, and images have 3; vit_run() takes any input");
}

/// Room for the results of all images; they are copied to the caller's when all is well.
void check_capacity(size_t capacity, size_t needed) {
  VIT_CHECK(capacity >= needed, Code::kArgument, "capacity: expected room for ", needed, " elements, found ", capacity);
}

/// Runs images in parts, unless nodes are tapped: those are asked for the call as a whole. Calls each(view) with each part's
/// output.
template <class Each>
void run_parts(vit_session& session, const std::vector<vit::Pixels>& pixels, vit::Output output, Each each) {
  std::vector<vit::PixelView> views;
  for (const vit::Pixels& image : pixels) views.push_back(image.view());
  const size_t part = session.has_taps ? views.size() : std::max(kImagesAtOnce, static_cast<size_t>(session.session.threads()));
  for (size_t first = 0; first < views.size(); first += part) {
    session.session.run(std::span(views).subspan(first, std::min(part, views.size() - first)), output);
    each(session.session.output());
  }
}

/// One image's probabilities, in double; the caller's sentence says which image.
std::vector<double> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> out(logits.size());
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) sum += out[i] = std::exp(logits[i] - largest);
  for (double& p : out) p /= sum;
  return out;
}

std::vector<double> sigmoid(std::span<const float> logits) {
  std::vector<double> out;
  for (const float logit : logits) out.push_back(1 / (1 + std::exp(-static_cast<double>(logit))));
  return out;
}

/// Appends the `count` most probable labels; ties by index.
void append_best(const vit_session& session, std::span<const float> logits, size_t count, std::vector<vit_class>& to) {
  for (const float logit : logits)
    VIT_CHECK(std::isfinite(logit), Code::kImage, "the model's logits for this image are not finite");
  const std::vector<std::string>& labels = session.model->config().labels;
  const std::vector<double> probabilities = session.sigmoid ? sigmoid(logits) : softmax(logits);
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](size_t a, size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  for (size_t i = 0; i < count; ++i)
    to.push_back({order[i], static_cast<float>(probabilities[order[i]]), logits[order[i]], labels[order[i]].c_str()});
}

/// vit_infer() and vit_embed().
void infer(vit_session* session, const vit_image* images, size_t count, vit_output want, float* out, size_t capacity) {
  check_images(session, images, count);
  vit::require(out, "out");
  const vit::Output output = vit::checked_output(*session->model, want);
  std::vector<vit::Pixels> pixels = vit::read_images(*session, {images, count});
  int64_t elements = 0;
  for (const vit::Pixels& image : pixels)
    elements += session->session.output_shape(output, 1, image.height, image.width).elements();
  check_capacity(capacity, static_cast<size_t>(elements));
  std::vector<float> results;
  results.reserve(static_cast<size_t>(elements));
  run_parts(*session, pixels, output,
            [&](const vit::ResultView& part) { results.insert(results.end(), part.data, part.data + part.shape.elements()); });
  std::copy(results.begin(), results.end(), out);
  session->pixels = std::move(pixels);
}

}  // namespace

vit_status vit_classify(vit_session* session, const vit_image* images, size_t count, size_t top_k, vit_class* out,
                        size_t* found) {
  return vit::guarded([&] {
    check_images(session, images, count);
    vit::require(out, "out");
    vit::require(found, "found");
    VIT_CHECK(top_k >= 1, Code::kArgument, "top_k: expected at least 1");
    const vit::Output output = vit::checked_output(*session->model, VIT_OUTPUT_LOGITS);
    const vit::Graph& graph = session->model->graph();
    VIT_CHECK(graph.nodes()[static_cast<size_t>(graph.output(output))].domain == vit::Domain::kImages, vit::Code::kArgument,
              session->model->path(), ": this model has logits for each token (its global_pool is ''), not for a picture");
    const auto& labels = session->model->config().labels;
    const size_t best = std::min(top_k, labels.size());
    std::vector<vit::Pixels> pixels = vit::read_images(*session, {images, count});
    std::vector<vit_class> results;
    run_parts(*session, pixels, output, [&](const vit::ResultView& part) {
      for (int64_t image = 0; image < part.shape[0]; ++image)
        append_best(*session, {part.data + image * part.shape[1], labels.size()}, best, results);
    });
    std::copy(results.begin(), results.end(), out);
    *found = best;
    session->pixels = std::move(pixels);
  });
}

vit_status vit_infer(vit_session* session, const vit_image* images, size_t count, vit_output want, float* out, size_t capacity) {
  return vit::guarded([&] { infer(session, images, count, want, out, capacity); });
}

vit_status vit_embed(vit_session* session, const vit_image* images, size_t count, float* out, size_t capacity) {
  return vit::guarded([&] { infer(session, images, count, VIT_OUTPUT_EMBEDDING, out, capacity); });
}

vit_status vit_preprocess(vit_session* session, const vit_image* image, uint8_t* out, size_t capacity, size_t* height,
                          size_t* width) {
  return vit::guarded([&] {
    check_images(session, image, 1);
    vit::require(height, "height");
    vit::require(width, "width");
    std::vector<vit::Pixels> pixels = vit::read_images(*session, {image, 1});
    const auto bytes = static_cast<size_t>(pixels[0].data.size());
    if (out != nullptr) {
      check_capacity(capacity, bytes);
      std::copy_n(pixels[0].data.data(), bytes, out);
    }
    *height = static_cast<size_t>(pixels[0].height);
    *width = static_cast<size_t>(pixels[0].width);
    session->pixels = std::move(pixels);
  });
}

vit_status vit_pixels(const vit_session* session, size_t index, const uint8_t** data, size_t* height, size_t* width) {
  return vit::guarded([&] {
    vit::require(session, "session");
    vit::require(data, "data");
    vit::require(height, "height");
    vit::require(width, "width");
    VIT_CHECK(index < session->pixels.size(), Code::kArgument, "index: expected less than ", session->pixels.size(),
              ", the number of images of the last call, found ", index);
    const vit::Pixels& pixels = session->pixels[index];
    *data = pixels.data.data();
    *height = static_cast<size_t>(pixels.height);
    *width = static_cast<size_t>(pixels.width);
  });
}
