// SPDX-License-Identifier: Apache-2.0
// vit.h: sessions, and what is asked of them apart from images.
#include <algorithm>

#include "ops/core/usable_cpus.h"
#include "runtime/api/handles.h"
#include "runtime/plan.h"

namespace {

constexpr int kMostThreads = 1024;
constexpr uint64_t kDefaultImagePixels = 178956970;  // Pillow's limit, above which it refuses a picture as a bomb

/// The plan is compiled when a run asks for an output; a name that it cannot have is refused here already.
void check_tap(const vit::Graph& graph, const std::string& name) {
  const std::vector<vit::Node>& nodes = graph.nodes();
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const vit::Node& node) { return node.name == name; });
  VIT_CHECK(found != nodes.end(), vit::Code::kArgument, "taps: the model has no node named ", name);
  VIT_CHECK(found->kind != vit::NodeKind::kPixels, vit::Code::kArgument, "taps: ", name,
            " are 8-bit and always kept, see vit_pixels()");
  VIT_CHECK(vit::can_tap(graph, static_cast<int>(found - nodes.begin())), vit::Code::kArgument, "taps: ", name,
            " is computed inside another node and has no value of its own");
}

vit::SessionOptions engine_options(const vit::Model& model, const vit_session_options& given) {
  using vit::Code;
  VIT_CHECK(given.threads >= 0 && given.threads <= kMostThreads, Code::kArgument, "threads: expected 0 to ", kMostThreads,
            ", found ", given.threads);
  VIT_CHECK(given.backend == VIT_BACKEND_OWN || given.backend == VIT_BACKEND_ONEDNN, Code::kArgument, "backend: unknown value ",
            static_cast<int>(given.backend));
  if (given.tap_count != 0) vit::require(given.taps, "taps");
  vit::SessionOptions out;
  out.threads = given.threads;
  out.backend = given.backend == VIT_BACKEND_OWN ? vit::Backend::kOwn : vit::Backend::kOneDnn;
  if (given.isa != nullptr) out.isa = given.isa;
  VIT_CHECK(given.precision >= VIT_PRECISION_MODEL && given.precision <= VIT_PRECISION_F32, Code::kArgument,
            "precision: unknown value ", static_cast<int>(given.precision));
  switch (given.precision) {
    case VIT_PRECISION_BF16: out.precision = vit::Precision::kBF16; break;
    case VIT_PRECISION_INT8: out.precision = vit::Precision::kInt8; break;
    case VIT_PRECISION_AUTO: out.precision = vit::fastest_precision(out.backend, vit::choose_isa(out.isa)); break;
    case VIT_PRECISION_F32: break;
    case VIT_PRECISION_MODEL:
      if (out.backend == vit::Backend::kOwn) out.precision = model.precision();
  }
  out.profile = given.profile != 0;
  for (size_t i = 0; i < given.tap_count; ++i) {
    vit::require(given.taps[i], "taps");
    check_tap(model.graph(), given.taps[i]);
    out.taps.emplace_back(given.taps[i]);
  }
  return out;
}

vit::Recipe session_recipe(const vit::Model& model, const vit_session_options& given) {
  using vit::Code;
  vit::Recipe recipe = model.recipe();
  VIT_CHECK((given.height == 0) == (given.width == 0), Code::kArgument, "height and width: expected both or neither, found ",
            given.height, " and ", given.width);
  VIT_CHECK(given.height <= vit::kMaxRecipeSide && given.width <= vit::kMaxRecipeSide, Code::kArgument,
            "height and width: expected at most ", vit::kMaxRecipeSide, ", found ", given.height, " and ", given.width);
  const vit::ModelConfig& config = model.config();
  VIT_CHECK(given.height == 0 || (given.height >= static_cast<size_t>(config.patch_height) &&
                                  given.width >= static_cast<size_t>(config.patch_width)),
            Code::kArgument, "height and width: expected at least one patch of ", config.patch_height, " x ", config.patch_width,
            ", found ", given.height, " x ", given.width);
  if (given.height != 0)
    recipe.override_size({static_cast<int64_t>(given.height), static_cast<int64_t>(given.width)}, "option size");
  VIT_CHECK(given.native == 0 || given.height == 0, Code::kArgument, "native: expected no height and width beside it, found ",
            given.height, " x ", given.width);
  if (given.native != 0) recipe.keep_native_size({config.patch_height, config.patch_width}, "option native");
  VIT_CHECK(given.exif >= VIT_EXIF_RECIPE && given.exif <= VIT_EXIF_IGNORE, Code::kArgument, "exif: unknown value ",
            static_cast<int>(given.exif));
  if (given.exif != VIT_EXIF_RECIPE)
    recipe.orientation = {given.exif == VIT_EXIF_APPLY ? vit::Orientation::kApply : vit::Orientation::kIgnore, "option exif"};
  return recipe;
}

void write_dims(const vit::Shape& shape, size_t* dims, size_t* rank) {
  for (int i = 0; i < shape.rank(); ++i) dims[i] = static_cast<size_t>(shape[i]);
  *rank = static_cast<size_t>(shape.rank());
}

}  // namespace

namespace vit {

Output checked_output(const Model& model, vit_output want) {
  VIT_CHECK(want >= VIT_OUTPUT_LOGITS && want <= VIT_OUTPUT_EMBEDDING, Code::kArgument, "want: unknown output ",
            static_cast<int>(want));
  const Output output = want == VIT_OUTPUT_LOGITS     ? Output::kLogits
                        : want == VIT_OUTPUT_FEATURES ? Output::kFeatures
                                                      : Output::kEmbedding;
  VIT_CHECK(
      model.graph().output(output) >= 0, Code::kArgument, model.path(),
      want == VIT_OUTPUT_LOGITS ? ": this model has no classifier and so no logits" : ": this model does not have this output");
  return output;
}

}  // namespace vit

vit_status vit_session_create(const vit_model* model, const vit_session_options* options, vit_session** out) {
  if (out != nullptr) *out = nullptr;
  return vit::guarded([&] {
    vit::require(out, "out");
    vit::require(model, "model");
    const vit_session_options given = vit::known_fields(options, "vit_session_options");
    VIT_CHECK(given.pillow_order == 0 || given.pillow_order == 12 || given.pillow_order == 13, vit::Code::kArgument,
              "pillow_order: expected 0, 12 or 13, found ", given.pillow_order);
    VIT_CHECK(given.probabilities >= VIT_PROBABILITIES_MODEL && given.probabilities <= VIT_PROBABILITIES_SIGMOID,
              vit::Code::kArgument, "probabilities: expected 0, 1 or 2, found ", static_cast<int>(given.probabilities));
    const bool sigmoid = given.probabilities == VIT_PROBABILITIES_MODEL ? model->model->config().multi_label
                                                                        : given.probabilities == VIT_PROBABILITIES_SIGMOID;
    const vit::SessionOptions engine = engine_options(*model->model, given);
    vit::Recipe recipe = session_recipe(*model->model, given);
    *out = new vit_session{model->model,
                           std::move(recipe),
                           given.pillow_order == 13 ? 13 : 12,
                           given.max_image_pixels != 0 ? given.max_image_pixels : kDefaultImagePixels,
                           given.dct_scale != 0,
                           given.tap_count != 0,
                           sigmoid,
                           vit::Session(model->model, engine),
                           {},
                           {}};
  });
}

int vit_usable_cpus(void) {
  try {
    return vit::usable_cpus();
  } catch (...) {  // out of memory
    return 1;
  }
}

vit_precision vit_session_auto_precision(const vit_session* session) {
  if (session == nullptr) return VIT_PRECISION_F32;
  return vit::api_precision(vit::fastest_precision(session->session.backend(), session->session.isa()));
}

void vit_session_free(vit_session* session) { delete session; }

vit_status vit_run(vit_session* session, const float* input, size_t batch, size_t height, size_t width, vit_output want,
                   float* out, size_t capacity) {
  using vit::Code;
  return vit::guarded([&] {
    vit::require(session, "session");
    vit::require(input, "input");
    vit::require(out, "out");
    const vit::ModelConfig& config = session->model->config();
    const vit::Output output = vit::checked_output(*session->model, want);
    // Bounds that keep the product of all sizes far from overflow; memory runs out earlier.
    VIT_CHECK(batch >= 1 && batch <= 1 << 20, Code::kArgument, "batch: expected 1 to 1048576, found ", batch);
    VIT_CHECK(height >= static_cast<size_t>(config.patch_height) && width >= static_cast<size_t>(config.patch_width) &&
                  height <= 1 << 16 && width <= 1 << 16,
              Code::kArgument, "input: expected a height and width from one patch (", config.patch_height, " x ",
              config.patch_width, ") to 65536, found ", height, " x ", width);
    const auto n = [](size_t value) { return static_cast<int64_t>(value); };
    const int64_t elements = session->session.output_shape(output, n(batch), n(height), n(width)).elements();
    VIT_CHECK(n(capacity) >= elements, Code::kArgument, "capacity: expected room for ", elements, " elements, found ", capacity);
    session->session.run(input, n(batch), n(height), n(width), output);
    const vit::ResultView result = session->session.output();
    std::copy_n(result.data, result.shape.elements(), out);
  });
}

vit_status vit_output_shape(const vit_session* session, size_t batch, size_t height, size_t width, vit_output want,
                            size_t dims[3], size_t* rank) {
  using vit::Code;
  return vit::guarded([&] {
    vit::require(session, "session");
    vit::require(dims, "dims");
    vit::require(rank, "rank");
    const vit::Output output = vit::checked_output(*session->model, want);
    const vit::ModelConfig& config = session->model->config();
    vit::PixelSize size{static_cast<int64_t>(height), static_cast<int64_t>(width)};
    if (height == 0 && width == 0) {
      const std::optional<vit::PixelSize> fixed = session->recipe.fixed_size();
      VIT_CHECK(fixed || output != vit::Output::kFeatures, Code::kArgument,
                "height and width: the size of this model's input depends on the picture, so they cannot be 0");
      size = fixed.value_or(vit::PixelSize{config.image_height, config.image_width});
    }
    VIT_CHECK(batch <= 1 << 20 && size.height >= config.patch_height && size.width >= config.patch_width &&
                  size.height <= 1 << 16 && size.width <= 1 << 16,
              Code::kArgument, "input: expected a batch of at most 1048576 and sides from one patch to 65536, found ", batch,
              " x ", size.height, " x ", size.width);
    write_dims(session->session.output_shape(output, static_cast<int64_t>(batch), size.height, size.width), dims, rank);
  });
}

vit_status vit_tap(const vit_session* session, const char* name, const float** data, size_t dims[4], size_t* rank) {
  return vit::guarded([&] {
    vit::require(session, "session");
    vit::require(name, "name");
    vit::require(data, "data");
    vit::require(dims, "dims");
    vit::require(rank, "rank");
    const vit::ResultView value = session->session.tap(name);
    write_dims(value.shape, dims, rank);
    *data = value.data;
  });
}

vit_status vit_describe(const vit_session* session, vit_description what, char* text, size_t capacity, size_t* needed) {
  return vit::guarded([&] {
    vit::require(session, "session");
    vit::require(needed, "needed");
    const std::string json = vit::describe(*session, what);
    *needed = json.size() + 1;
    if (text == nullptr) return;
    VIT_CHECK(capacity >= *needed, vit::Code::kArgument, "capacity: expected room for ", *needed, " bytes, found ", capacity);
    std::memcpy(text, json.c_str(), *needed);
  });
}
