// SPDX-License-Identifier: Apache-2.0
// The texts of vit_describe().
#include <map>

#include "runtime/api/handles.h"
#include "runtime/io/json.h"
#include "runtime/io/printable.h"
#include "runtime/io/vit_file.h"
#include "runtime/plan.h"

namespace vit {
namespace {

Json model_json(const Model& model) {
  const ModelConfig& c = model.config();
  int64_t parameters = 0;
  uint64_t bytes = 0;
  std::map<std::string, uint64_t> files;
  for (const auto& [name, tensor] : model.weights().tensors()) {
    parameters += tensor.shape.elements();
    bytes += tensor.bytes.size();
    files[tensor.file] += tensor.bytes.size();
  }
  if (model.vit_file() != nullptr)
    for (const auto& [name, layer] : model.vit_file()->layers) bytes += static_cast<uint64_t>(layer.packed.bytes());
  Json out{{"path", printable(model.path(), 4096)},
           {"family", c.family},
           {"architecture", printable(c.architecture)},
           {"labels", c.labels.size()},
           {"multi_label", c.multi_label},
           {"channels_of_a_token", c.embed_dim},
           {"blocks", c.depth},
           {"heads", c.num_heads},
           {"mlp_channels", c.mlp_dim},
           {"register_tokens", c.num_registers},
           {"image_size", {c.image_height, c.image_width}},
           {"image_channels", c.channels},
           {"patch_size", {c.patch_height, c.patch_width}},
           {"parameters", parameters},
           {"weight_bytes", bytes},
           {"files", Json::array()}};
  for (const auto& [name, size] : files) out["files"].push_back(printable(name));
  return out;
}

Json tensors_json(const Model& model) {
  Json out = Json::array();
  for (const auto& [name, tensor] : model.weights().tensors())
    out.push_back({{"name", printable(name, 4096)},
                   {"type", printable(tensor.dtype_code)},
                   {"shape", tensor.shape.dims()},
                   {"file", printable(tensor.file)}});
  return out;
}

/// Those that have a value of their own, and the pixels.
Json nodes_json(const Model& model) {
  Json out = Json::array();
  const Graph& graph = model.graph();
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.kind != NodeKind::kPixels && !can_tap(graph, static_cast<int>(i))) continue;
    const Json channels = node.channels;
    const Json shape = node.domain == Domain::kPixels ? Json{"height", "width", channels}
                       : node.domain == Domain::kRows ? Json{"rows", channels}
                                                      : Json{"images", channels};
    out.push_back({{"name", node.name}, {"kind", node_kind_name(node.kind)}, {"shape", shape}});
  }
  return out;
}

Json recipe_json(const vit_session& session) {
  Json out = session.recipe.to_json();
  out["pillow_order"] = {{"value", session.pillow_order},
                         {"origin", session.pillow_order == 13 ? "option pillow_order" : "default"}};
  return out;
}

Json profile_json(const Session& session) {
  Json out = Json::array();
  for (const StepProfile& step : session.profile())
    out.push_back({{"name", step.name},
                   {"implementation", step.implementation},
                   {"calls", step.calls},
                   {"microseconds", step.microseconds},
                   {"operations", step.operations},
                   {"bytes", step.bytes}});
  return out;
}

Json trace_json(const Session& session) {
  Json out = Json::array();
  for (const StepSpan& span : session.spans())
    out.push_back({{"thread", span.thread},
                   {"name", span.name},
                   {"implementation", span.implementation},
                   {"image", span.image < 0 ? Json() : Json(span.image)},
                   {"begin_microseconds", span.begin_us},
                   {"ready_microseconds", span.ready_us},
                   {"end_microseconds", span.end_us}});
  return out;
}

Json stages_json(const vit_session& session) {
  const vit::Stages& s = session.stages;
  return {{"images", s.images}, {"decode_microseconds", s.decode_us}, {"preprocess_microseconds", s.preprocess_us}};
}

}  // namespace

std::string describe(const vit_session& session, vit_description what) {
  switch (what) {
    case VIT_DESCRIBE_MODEL: return model_json(*session.model).dump();
    case VIT_DESCRIBE_TENSORS: return tensors_json(*session.model).dump();
    case VIT_DESCRIBE_RECIPE: return recipe_json(session).dump();
    case VIT_DESCRIBE_NODES: return nodes_json(*session.model).dump();
    case VIT_DESCRIBE_PLAN: {
      const ModelConfig& config = session.model->config();
      const PixelSize size = session.recipe.fixed_size().value_or(PixelSize{config.image_height, config.image_width});
      return session.session.describe_plan(size.height, size.width);
    }
    case VIT_DESCRIBE_PROFILE: return profile_json(session.session).dump();
    case VIT_DESCRIBE_TRACE: return trace_json(session.session).dump();
    case VIT_DESCRIBE_STAGES: return stages_json(session).dump();
    case VIT_DESCRIBE_LAYERS: return session.model->vit_file() != nullptr ? session.model->vit_file()->report : "{}";
  }
  throw Error(Code::kArgument, str("what: unknown description ", static_cast<int>(what)));
}

}  // namespace vit
