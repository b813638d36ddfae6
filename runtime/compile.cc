// SPDX-License-Identifier: Apache-2.0
// From a graph to a plan: what is fused, which buffer holds what, and the steps in order.
#include <algorithm>
#include <cassert>
#include <map>

#include "ops/core/error.h"
#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/patch_embed.h"
#include "ops/pool.h"
#include "runtime/barriers.h"
#include "runtime/demand.h"
#include "runtime/packed_weights.h"
#include "runtime/plan.h"

namespace vit {
namespace {

class Compiler {
 public:
  Compiler(const Model& model, const PlanOptions& options) : model_(model), graph_(model.graph()), options_(options) {}

  Plan run() {
    choose_results();
    demand_ = demand_of(graph_, kept_);
    buffer_of_.assign(graph_.nodes().size(), BufferRef{});
    fused_.assign(graph_.nodes().size(), false);
    uses_left_.resize(graph_.nodes().size());
    for (size_t i = 0; i < uses_left_.size(); ++i) uses_left_[i] = demand_[i].uses;
    for (int id = 0; id < static_cast<int>(graph_.nodes().size()); ++id)
      if (of(id).needed && !fused_[static_cast<size_t>(id)]) emit(id);
    plan_.barrier_before = place_barriers(access_, static_cast<int>(plan_.buffers.size()));
    std::vector<bool> rows_only;
    for (const PlanBuffer& buffer : plan_.buffers) rows_only.push_back(buffer.kind == BufferKind::kRows);
    plan_.dead_after = dead_after(access_, rows_only);
    return std::move(plan_);
  }

 private:
  const Node& node(int id) const { return graph_.nodes()[static_cast<size_t>(id)]; }
  const NodeDemand& of(int id) const { return demand_[static_cast<size_t>(id)]; }

  // ---- results ----
  void choose_results() {
    const int output = graph_.output(options_.want);
    VIT_CHECK(output >= 0, Code::kArgument, "this model has no ", output_name(options_.want), ": it has no classifier");
    kept_.push_back(output);
    for (const std::string& tap : options_.taps) {
      int found = -1;
      for (int id = 0; id < static_cast<int>(graph_.nodes().size()); ++id)
        if (node(id).name == tap) found = id;
      VIT_CHECK(found >= 0 && can_tap(graph_, found), Code::kArgument, "tap ", tap,
                ": expected a node of the graph that has a value of its own (`vit-infer info --nodes` lists them), ",
                found < 0 ? "there is none of this name" : "this one is computed inside another");
      kept_.push_back(found);
    }
    plan_.results.resize(kept_.size());
  }

  void export_results(int id) {
    for (size_t i = 0; i < kept_.size(); ++i) {
      if (kept_[i] != id) continue;
      const bool images = node(id).domain == Domain::kImages;
      const BufferRef to = new_buffer(images ? BufferKind::kResultImages : BufferKind::kResultRows, node(id).channels);
      auto step = std::make_unique<ExportStep>();
      step->x = buffer_of(id), step->result = to, step->channels = node(id).channels;
      plan_.results[i] = {node(id).name, to, node(id).channels, node(id).domain};
      add(std::move(step), id, "copy out", {own(buffer_of(id))}, {to.id}, all_rows(id));
    }
  }

  // ---- buffers ----
  BufferRef new_buffer(BufferKind kind, int64_t channels) {
    const int64_t stride = kind == BufferKind::kResultRows || kind == BufferKind::kResultImages || kind == BufferKind::kKeys ||
                                   kind == BufferKind::kValues
                               ? channels
                               : row_stride(channels);
    plan_.buffers.push_back({kind, stride});
    return {static_cast<int>(plan_.buffers.size()) - 1, stride};
  }
  BufferRef buffer_for(int id) { return buffer_for(node(id).domain, node(id).channels); }
  BufferRef buffer_for(Domain domain, int64_t channels) {
    const auto found = free_.find({domain, row_stride(channels)});
    if (found == free_.end()) return new_buffer(domain == Domain::kImages ? BufferKind::kImages : BufferKind::kRows, channels);
    const BufferRef buffer = found->second;
    free_.erase(found);
    return buffer;
  }
  BufferRef buffer_of(int id) const { return buffer_of_[static_cast<size_t>(id)]; }
  void use(int id) {
    if (--uses_left_[static_cast<size_t>(id)] == 0) free_.emplace(std::pair{node(id).domain, buffer_of(id).stride}, buffer_of(id));
  }

  // ---- steps ----
  Work work(int id, int64_t rows) const {
    if (node(id).domain == Domain::kImages) return {Over::kImages, 0, 0};
    return rows == kAllRows ? Work{Over::kRows, 0, 0} : Work{Over::kPrefixRows, 0, rows};
  }
  Work work(int id) const { return work(id, of(id).rows); }
  Work all_rows(int id) const { return work(id, kAllRows); }
  static Access own(BufferRef buffer) { return {buffer.id, Scope::kRow}; }
  static Access shared(int buffer) { return {buffer, Scope::kImage}; }

  void add(std::unique_ptr<Step> step, int id, const char* implementation, std::vector<Access> reads, std::vector<int> writes, Work over) {
    step->name = node(id).name;
    step->implementation = implementation;
    step->work = over;
    plan_.steps.push_back(std::move(step));
    access_.push_back({std::move(reads), std::move(writes)});
  }
  /// The value of `id` now stands in `buffer`.
  void finish(int id, BufferRef buffer) {
    buffer_of_[static_cast<size_t>(id)] = buffer;
    if (of(id).kept) export_results(id);
    if (of(id).uses == 0) free_.emplace(std::pair{node(id).domain, buffer.stride}, buffer);
  }
  /// The only node that reads `id`, when nobody else needs its value.
  int sole_reader(int id) const {
    if (of(id).uses != 1 || of(id).kept) return -1;
    for (int reader = id + 1; reader < static_cast<int>(graph_.nodes().size()); ++reader)
      if (of(reader).needed && std::count(node(reader).inputs.begin(), node(reader).inputs.end(), id)) return reader;
    return -1;
  }
  void fuse(int id) { fused_[static_cast<size_t>(id)] = true; }

  void emit(int id) {
    switch (node(id).kind) {
      case NodeKind::kPixels:
      case NodeKind::kPatchEmbed:
      case NodeKind::kAddPositions: return;  // inside kPrependTokens
      case NodeKind::kPrependTokens: return emit_tokens(id);
      case NodeKind::kLayerNorm: return emit_layer_norm(id);
      case NodeKind::kLinear: return emit_linear(id);
      case NodeKind::kActivation: return emit_activation(id);
      case NodeKind::kGatedActivation: return emit_gated(id);
      case NodeKind::kAttention: return emit_attention(id);
      case NodeKind::kScale: return emit_scale(id);
      case NodeKind::kAdd: return emit_add(id);
      case NodeKind::kSelectRow: return emit_select(id);
      case NodeKind::kMeanRows: return emit_mean(id);
      case NodeKind::kConcat: return emit_concat(id);
    }
  }

  void emit_tokens(int id) {
    const Node& tokens = node(id);
    const Node* patches = &node(tokens.inputs[0]);
    if (patches->kind == NodeKind::kAddPositions) plan_.positions = &patches->positions, patches = &node(patches->inputs[0]);
    VIT_CHECK(patches->kind == NodeKind::kPatchEmbed, Code::kUnsupported, tokens.name, ": expected patches below it, found ",
              node_kind_name(patches->kind));
    auto step = std::make_unique<PatchEmbedStep>();
    step->kernels = options_.kernels;
    step->channels = tokens.channels;
    step->image_channels = node(patches->inputs[0]).channels;
    step->patch_height = patches->patch_height, step->patch_width = patches->patch_width;
    for (const PrefixToken& token : tokens.prefix) step->prefix.push_back(prefix_row(token, tokens.channels));
    const std::string key = patches->name + " for " + (options_.pixels ? "pixels" : "planes") + " in panels of " + panel_text();
    const auto weights = model_.packs().get(key, [&] {
      return options_.pixels ? pack_patches_for_pixels(*patches, panel(), model_.recipe().normalisation())
                             : pack_patches_for_planes(*patches, panel());
    });
    (options_.pixels ? step->pixel_weights : step->plane_weights) = counted(weights);

    plan_.prefix_rows = static_cast<int64_t>(tokens.prefix.size());
    plan_.patch_height = patches->patch_height, plan_.patch_width = patches->patch_width;
    plan_.image_channels = step->image_channels;
    plan_.embed_dim = tokens.channels;
    const BufferRef y = step->y = buffer_for(id);
    add(std::move(step), id, "patch gather", {}, {y.id}, all_rows(id));
    finish(id, y);
  }

  static PrefixRow prefix_row(const PrefixToken& token, int64_t channels) {
    PrefixRow row{token.kind, std::vector<float>(static_cast<size_t>(channels))};
    token.value.to_float(token.value_row * channels, channels, row.value.data());
    if (token.position) {
      std::vector<float> position(row.value.size());
      token.position.to_float(token.position_row * channels, channels, position.data());
      for (size_t i = 0; i < position.size(); ++i) row.value[i] += position[i];
    }
    return row;
  }

  void emit_layer_norm(int id) {
    const Node& norm = node(id);
    auto step = std::make_unique<LayerNormStep>();
    step->kernels = options_.kernels;
    step->x = buffer_of(norm.inputs[0]);
    step->channels = norm.channels, step->eps = norm.eps;
    step->gamma = padded_floats(norm.norm.gamma, panel()), step->beta = padded_floats(norm.norm.beta, panel());
    const Access read = own(step->x);
    const BufferRef y = step->y = buffer_for(id);
    add(std::move(step), id, "row", {read}, {y.id}, work(id));
    use(norm.inputs[0]);
    finish(id, y);
  }

  int64_t panel() const { return options_.kernels->panel_columns; }
  std::string panel_text() const { return std::to_string(panel()); }
  std::shared_ptr<const PackedLinear> packed(int id) {
    return counted(model_.packs().get(node(id).name + " in panels of " + panel_text(),
                                      [&] { return pack_node(node(id), model_.weights(), panel()); }));
  }
  std::shared_ptr<const PackedLinear> counted(std::shared_ptr<const PackedLinear> weights) {
    plan_.weight_bytes += (weights->weight.size() + weights->bias.size()) * static_cast<int64_t>(sizeof(float));
    return weights;
  }

  void emit_linear(int id) {
    const int reader = sole_reader(id);
    if (reader >= 0 && node(reader).kind == NodeKind::kAttention) return emit_qkv(id, reader);

    auto step = std::make_unique<LinearStep>();
    step->weights = packed(id);
    step->kernels = options_.kernels;
    const int input = node(id).inputs[0];
    step->x = buffer_of(input);
    int result = id;
    if (reader >= 0 && node(reader).kind == NodeKind::kActivation) {
      step->activation = node(reader).activation;
      fuse(result = reader);
    } else if (const int sum = residual_sum(id, &step->gamma); sum >= 0) {
      return emit_residual(std::move(step), id, sum);
    }
    const Access read = own(step->x);
    const BufferRef y = step->y = buffer_for(result);
    add(std::move(step), result, "tile", {read}, {y.id}, work(result));
    use(input);
    finish(result, y);
  }

  /// The node `x + [gamma *] linear` when `linear` can be added to x where x stands: x is finished and nobody else will read it.
  int residual_sum(int id, std::shared_ptr<const Buffer<float>>* gamma) {
    int sum = sole_reader(id), below = id;
    if (sum >= 0 && node(sum).kind == NodeKind::kScale) below = sum, sum = sole_reader(sum);
    if (sum < 0 || node(sum).kind != NodeKind::kAdd) return -1;
    const int x = node(sum).inputs[0] == below ? node(sum).inputs[1] : node(sum).inputs[0];
    if (x == below || buffer_of(x).id < 0 || uses_left_[static_cast<size_t>(x)] != 1) return -1;
    if (below != id) {
      *gamma = padded_floats(node(below).scale, panel());
      fuse(below);
    }
    fuse(sum);
    return sum;
  }

  void emit_residual(std::unique_ptr<LinearStep> step, int id, int sum) {
    const int input = node(id).inputs[0], below = step->gamma ? node_scaling(id, sum) : id;
    const int x = node(sum).inputs[0] == below ? node(sum).inputs[1] : node(sum).inputs[0];
    step->store = step->gamma ? TileStore::kScaleAdd : TileStore::kAdd;
    const BufferRef y = step->y = buffer_of(x);
    const Access read = own(step->x);
    add(std::move(step), sum, "tile", {read, own(y)}, {y.id}, work(sum));
    use(input);
    --uses_left_[static_cast<size_t>(x)];  // its buffer lives on as the sum's
    finish(sum, y);
  }
  int node_scaling(int id, int sum) const {
    for (const int input : node(sum).inputs)
      if (node(input).kind == NodeKind::kScale && node(input).inputs[0] == id) return input;
    return id;
  }

  // ---- attention ----
  HeadLayout layout(int attention) const {
    return {node(attention).num_heads, node(attention).channels / node(attention).num_heads, panel()};
  }
  HeadBuffers heads(int attention) {
    const HeadLayout l = layout(attention);
    auto& pair = key_values_[{l.heads, l.head_dim}];
    HeadBuffers& next = pair[attentions_++ % 2];
    if (next.keys < 0) {
      next.keys = new_buffer(BufferKind::kKeys, l.key_floats()).id;
      next.values = new_buffer(BufferKind::kValues, l.value_floats()).id;
    }
    next.q = buffer_for(Domain::kRows, l.channels());
    plan_.key_rows_multiple = panel();
    heads_of_[attention] = next;
    return next;
  }

  void emit_qkv(int id, int attention) {
    auto step = std::make_unique<QkvStep>();
    step->weights = packed(id);
    step->kernels = options_.kernels;
    step->layout = layout(attention);
    step->heads = heads(attention);
    step->x = buffer_of(node(id).inputs[0]);
    step->query_work = work(attention);
    const HeadBuffers h = step->heads;
    const Access read = own(step->x);
    add(std::move(step), id, "tile, heads", {read}, {h.q.id, h.keys, h.values}, all_rows(id));
    use(node(id).inputs[0]);
  }

  void emit_attention(int id) {
    const int input = node(id).inputs[0];
    if (!heads_of_.count(id)) {
      auto pack = std::make_unique<PackHeadsStep>();
      pack->kernels = options_.kernels;
      pack->layout = layout(id);
      pack->heads = heads(id);
      pack->x = buffer_of(input);
      const HeadBuffers h = pack->heads;
      const Access read = own(pack->x);
      add(std::move(pack), id, "pack heads", {read}, {h.q.id, h.keys, h.values}, all_rows(id));
      use(input);
    }
    const HeadBuffers h = heads_of_.at(id);
    auto step = std::make_unique<AttentionStep>();
    step->kernels = options_.kernels;
    step->layout = layout(id);
    step->heads = h;
    const BufferRef y = step->y = buffer_for(id);
    add(std::move(step), id, "two-pass softmax", {own(h.q), shared(h.keys), shared(h.values)}, {y.id}, work(id));
    free_.emplace(std::pair{Domain::kRows, h.q.stride}, h.q);
    finish(id, y);
  }

  // ---- what could not be fused ----
  /// A step with one input whose result takes a buffer of its own.
  template <class S>
  void emit_unary(int id, std::unique_ptr<S> step, const char* implementation, Scope scope) {
    const int input = node(id).inputs[0];
    step->x = buffer_of(input);
    const Access read{step->x.id, scope};
    const BufferRef y = step->y = buffer_for(id);
    step->channels = node(id).channels;
    add(std::move(step), id, implementation, {read}, {y.id}, work(id));
    use(input);
    finish(id, y);
  }
  void emit_activation(int id) {
    auto step = std::make_unique<ActivationStep>();
    step->kernels = options_.kernels, step->activation = node(id).activation;
    emit_unary(id, std::move(step), "row", Scope::kRow);
  }
  void emit_gated(int id) {
    auto step = std::make_unique<GatedActivationStep>();
    step->kernels = options_.kernels, step->activation = node(id).activation;
    emit_unary(id, std::move(step), "row", Scope::kRow);
  }
  void emit_scale(int id) {
    auto step = std::make_unique<ScaleStep>();
    step->kernels = options_.kernels, step->gamma = padded_floats(node(id).scale, panel());
    emit_unary(id, std::move(step), "row", Scope::kRow);
  }
  void emit_select(int id) {
    auto step = std::make_unique<SelectRowStep>();
    step->kind = node(id).row_kind;
    // An image belongs to the thread that owns its first row.
    emit_unary(id, std::move(step), "row", prefix_index(graph_, node(id).row_kind) == 0 ? Scope::kRow : Scope::kImage);
  }
  void emit_mean(int id) {
    auto step = std::make_unique<MeanRowsStep>();
    step->kernels = options_.kernels, step->kind = node(id).row_kind;
    emit_unary(id, std::move(step), "row", Scope::kImage);
  }
  void emit_add(int id) {
    auto step = std::make_unique<AddStep>();
    step->kernels = options_.kernels;
    step->a = buffer_of(node(id).inputs[0]), step->b = buffer_of(node(id).inputs[1]);
    step->channels = node(id).channels;
    const Access a = own(step->a), b = own(step->b);
    const BufferRef y = step->y = buffer_for(id);
    add(std::move(step), id, "row", {a, b}, {y.id}, work(id));
    use(node(id).inputs[0]);
    use(node(id).inputs[1]);
    finish(id, y);
  }
  void emit_concat(int id) {
    const BufferRef y = buffer_for(id);
    int64_t column = 0;
    for (const int input : node(id).inputs) {
      auto step = std::make_unique<CopyStep>();
      step->x = buffer_of(input), step->y = y;
      step->channels = node(input).channels, step->y_column = column;
      column += node(input).channels;
      const Access read = own(step->x);
      add(std::move(step), id, "copy", {read}, {y.id}, work(id));
      use(input);
    }
    finish(id, y);
  }

  const Model& model_;
  const Graph& graph_;
  const PlanOptions& options_;
  Plan plan_;
  std::vector<int> kept_;
  std::vector<NodeDemand> demand_;
  std::vector<BufferRef> buffer_of_;
  std::vector<bool> fused_;
  std::vector<int> uses_left_;
  std::vector<StepAccess> access_;
  std::multimap<std::pair<Domain, int64_t>, BufferRef> free_;
  std::map<std::pair<int64_t, int64_t>, HeadBuffers[2]> key_values_;  ///< by heads and head_dim: the two parities
  std::map<int, HeadBuffers> heads_of_;
  int attentions_ = 0;
};

}  // namespace

int Plan::barriers() const { return static_cast<int>(std::count(barrier_before.begin(), barrier_before.end(), true)); }

bool can_tap(const Graph& graph, int node) {
  switch (graph.nodes()[static_cast<size_t>(node)].kind) {
    case NodeKind::kPixels:
    case NodeKind::kPatchEmbed:
    case NodeKind::kAddPositions: return false;
    default: return true;
  }
}

Plan compile(const Model& model, const PlanOptions& options) { return Compiler(model, options).run(); }

}  // namespace vit
