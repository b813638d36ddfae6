// SPDX-License-Identifier: Apache-2.0
// From a graph to a plan: what is fused, which buffer holds what, and the steps in order.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "ops/core/error.h"
#include "ops/elementwise.h"
#include "ops/pool.h"
#include "runtime/barriers.h"
#include "runtime/demand.h"
#include "runtime/plan.h"
#include "runtime/step_maker.h"

namespace vit {
namespace {

class Compiler {
 public:
  Compiler(const Model& model, const PlanOptions& options, StepMaker& maker)
      : graph_(model.graph()), options_(options), maker_(&maker) {
    plan_.backend = options.backend, plan_.precision = options.precision, plan_.policy = options.policy;
  }

  Plan run() {
    choose_results();
    demand_ = demand_of(graph_, kept_);
    buffer_of_.assign(graph_.nodes().size(), BufferRef{});
    format_.assign(graph_.nodes().size(), Precision::kF32);
    fused_.assign(graph_.nodes().size(), false);
    uses_left_.resize(graph_.nodes().size());
    for (size_t i = 0; i < uses_left_.size(); ++i) uses_left_[i] = demand_[i].uses;
    for (int id = 0; id < static_cast<int>(graph_.nodes().size()); ++id)
      if (of(id).needed && !fused_[static_cast<size_t>(id)]) emit(id);
    check_selections();
    plan_.barrier_before = place_barriers(access_, static_cast<int>(plan_.buffers.size()));
    plan_.barrier_before_many = place_barriers(access_, static_cast<int>(plan_.buffers.size()), true);
    std::vector<bool> rows_only;
    for (const PlanBuffer& buffer : plan_.buffers) rows_only.push_back(buffer.kind == BufferKind::kRows);
    plan_.dead_after = dead_after(access_, rows_only);
    plan_.weight_bytes = maker_->weight_bytes();
    // AMX multiplies a hundred rows while their weights come from memory, or fewer where the last cache may hold these: measured
    // with ViT-S to L, 22 to 600 MB (docs/performance.md, "Many cores").
    constexpr int64_t kMostRows = 192, kBytesOfRow = 1 << 20;
    if (options_.kernels->has_amx && plan_.precision != Precision::kF32)
      plan_.few_rows = std::min(kMostRows, plan_.weight_bytes / kBytesOfRow);
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
      VIT_CHECK(images || stage_ == 0, Code::kUnsupported, node(id).name,
                ": expected a value before tokens are selected, behind it an image's rows are fewer than a result has");
      const BufferRef to = new_buffer(images ? BufferKind::kResultImages : BufferKind::kResultRows, node(id).channels);
      auto step = std::make_unique<ExportStep>();
      step->implementation = "copy out";
      step->x = buffer_of(id), step->result = to, step->channels = node(id).channels;
      plan_.results[i] = {node(id).name, to, node(id).channels, node(id).domain};
      add(std::move(step), id, {own(buffer_of(id))}, {to.id}, all_rows(id));
    }
  }

  // ---- buffers ----
  BufferRef new_buffer(BufferKind kind, int64_t channels) {
    const int64_t stride = kind == BufferKind::kResultRows || kind == BufferKind::kResultImages || kind == BufferKind::kKeys ||
                                   kind == BufferKind::kValues
                               ? channels
                               : maker_->stride(channels);
    plan_.buffers.push_back({kind, stride});
    return {static_cast<int>(plan_.buffers.size()) - 1, stride};
  }
  BufferRef buffer_for(int id) { return buffer_for(node(id).domain, node(id).channels); }
  BufferRef buffer_for(Domain domain, int64_t channels) {
    const auto found = free_.find({domain, maker_->stride(channels)});
    if (found == free_.end()) return new_buffer(domain == Domain::kImages ? BufferKind::kImages : BufferKind::kRows, channels);
    const BufferRef buffer = found->second;
    free_.erase(found);
    return buffer;
  }
  BufferRef buffer_of(int id) const { return buffer_of_[static_cast<size_t>(id)]; }
  void use(int id) {
    if (--uses_left_[static_cast<size_t>(id)] == 0) release(id, buffer_of(id));
  }
  void release(int id, BufferRef buffer) {
    if (!kept_apart_.count(buffer.id)) free_.emplace(std::pair{node(id).domain, buffer.stride}, buffer);
  }

  // ---- steps ----
  Work work(int id, int64_t rows) const {
    if (node(id).domain == Domain::kImages) return {Over::kImages, stage_, 0};
    return rows == kAllRows ? Work{Over::kRows, stage_, 0} : Work{Over::kPrefixRows, stage_, rows};
  }
  Work work(int id) const { return work(id, of(id).rows); }
  Work all_rows(int id) const { return work(id, kAllRows); }
  /// The work of a linear layer, whose columns threads share where it has many weights: of a classifier, which has one row an
  /// image, always, otherwise where they are many.
  Work columns_of(int linear, Work work) const {
    constexpr int64_t kLargeWeights = 128 * 1024;
    if (maker_->shares_columns() && node(linear).linear.in * node(linear).linear.out >= kLargeWeights)
      work.columns = work.over == Over::kImages ? Columns::kShared : Columns::kSharedByMany;
    return work;
  }
  static Access own(BufferRef buffer) { return {buffer.id, Scope::kRow}; }
  static Access shared(int buffer) { return {buffer, Scope::kImage}; }

  void add(std::unique_ptr<Step> step, int id, std::vector<Access> reads, std::vector<int> writes, Work over) {
    step->name = node(id).name;
    step->work = over;
    plan_.steps.push_back(std::move(step));
    plan_.traffic.push_back(traffic(reads, writes));
    access_.push_back({std::move(reads), std::move(writes), false, over.columns});
  }
  /// Of the step that was made last: its weights are those that its maker has counted since the one before.
  StepTraffic traffic(const std::vector<Access>& reads, const std::vector<int>& writes) {
    const auto stride = [&](int buffer) { return plan_.buffers[static_cast<size_t>(buffer)].stride; };
    StepTraffic traffic;
    traffic.weight_bytes = maker_->weight_bytes() - std::exchange(counted_weight_bytes_, maker_->weight_bytes());
    for (const Access& read : reads)
      (read.scope == Scope::kRow ? traffic.row_floats : traffic.image_row_floats) += stride(read.buffer);
    for (const int write : writes) traffic.row_floats += stride(write);
    return traffic;
  }
  /// The value of `id` now stands in `buffer`.
  void finish(int id, BufferRef buffer) {
    buffer_of_[static_cast<size_t>(id)] = buffer;
    if (of(id).kept) export_results(id);
    if (of(id).uses == 0) release(id, buffer);
    if (of(id).rows == kAllRows && of(id).uses > 0)
      for (const TokenSelection& selection : options_.selections)
        if (selection.after == node(id).name) select_tokens(id, selection);
  }

  // ---- token selection ----
  bool has_selection(int id) const {
    return std::any_of(options_.selections.begin(), options_.selections.end(),
                       [&](const TokenSelection& selection) { return selection.after == node(id).name; });
  }
  /// What is read behind it must be read through it: a value with all its rows cannot be added to one with fewer.
  void select_tokens(int id, const TokenSelection& selection) {
    for (int other = 0; other < static_cast<int>(graph_.nodes().size()); ++other)
      VIT_CHECK(other == id || node(other).domain == Domain::kImages || buffer_of(other).id < 0 ||
                    uses_left_[static_cast<size_t>(other)] == 0,
                Code::kUnsupported, "token selection after ", selection.after, ": ", node(other).name,
                " is still to be read with all its rows");
    const BufferRef x = buffer_of(id), y = buffer_for(id);
    add(selection.make(node(id), x, y), id, {shared(x.id)}, {y.id}, {Over::kImages, stage_, 0});
    access_.back().selects = true;
    release(id, x);
    buffer_of_[static_cast<size_t>(id)] = y;
    plan_.stages = ++stage_ + 1;
  }
  void check_selections() const {
    VIT_CHECK(stage_ == static_cast<int>(options_.selections.size()), Code::kArgument,
              "token selection: expected nodes of which later ones read all rows, ", options_.selections.size(),
              " of them; found ", stage_);
    VIT_CHECK(stage_ == 0 || options_.backend == Backend::kOwn, Code::kUnsupported,
              "token selection: needs the own backend, oneDNN's steps are made for row counts that are known before a run");
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
      case NodeKind::kLinear: return emit_linear(id);
      case NodeKind::kAttention: return emit_attention(id);
      case NodeKind::kLayerNorm:
        if (is_patch_norm(node(id))) return;
        return emit_layer_norm(id);
      case NodeKind::kRmsNorm:
        if (is_patch_norm(node(id))) return;
        return emit_unary(id, Scope::kRow,
                          [&](BufferRef x, BufferRef y) { return make_rms_norm(node(id), *options_.kernels, x, y); });
      case NodeKind::kHeadNorm:
        return emit_unary(id, Scope::kRow,
                          [&](BufferRef x, BufferRef y) { return make_head_norm(node(id), *options_.kernels, x, y); });
      case NodeKind::kActivation:
        return emit_unary(id, Scope::kRow, [&](BufferRef x, BufferRef y) { return maker_->activation(node(id), x, y); });
      case NodeKind::kGatedActivation:
        return emit_unary(id, Scope::kRow, [&](BufferRef x, BufferRef y) { return maker_->gated_activation(node(id), x, y); });
      case NodeKind::kScale:
        return emit_unary(id, Scope::kRow, [&](BufferRef x, BufferRef y) { return maker_->scale(node(id), x, y); });
      case NodeKind::kMultiply: return emit_multiply(id);
      case NodeKind::kAdd: return emit_add(id);
      case NodeKind::kSelectRow: return emit_select(id);
      case NodeKind::kMeanRows:
        return emit_unary(id, Scope::kImage,
                          [&](BufferRef x, BufferRef y) { return make_mean_rows(node(id), *options_.kernels, x, y); });
      case NodeKind::kMaxRows:
        return emit_unary(id, Scope::kImage,
                          [&](BufferRef x, BufferRef y) { return make_max_rows(node(id), *options_.kernels, x, y); });
      case NodeKind::kAttentionPool:
        return emit_unary(id, Scope::kImage,
                          [&](BufferRef x, BufferRef y) { return make_attention_pool(node(id), *options_.kernels, x, y); });
      case NodeKind::kConcat: return emit_concat(id);
    }
  }

  /// A norm of patches that are not tokens yet: part of kPrependTokens' steps.
  bool is_patch_norm(const Node& n) const {
    return (n.kind == NodeKind::kLayerNorm || n.kind == NodeKind::kRmsNorm) && node(n.inputs[0]).kind == NodeKind::kPatchEmbed;
  }

  void emit_tokens(int id) {
    const Node& tokens = node(id);
    const Node *patches = &node(tokens.inputs[0]), *norm = nullptr;
    if (patches->kind == NodeKind::kAddPositions) plan_.positions = &patches->positions, patches = &node(patches->inputs[0]);
    if (is_patch_norm(*patches)) norm = patches, patches = &node(patches->inputs[0]);
    VIT_CHECK(patches->kind == NodeKind::kPatchEmbed, Code::kUnsupported, tokens.name, ": expected patches below it, found ",
              node_kind_name(patches->kind));
    plan_.image_channels = node(patches->inputs[0]).channels;
    plan_.prefix_rows = static_cast<int64_t>(tokens.prefix.size());
    plan_.patch_height = patches->patch_height, plan_.patch_width = patches->patch_width;
    plan_.embed_dim = tokens.channels;
    const BufferRef y = buffer_for(id);
    add(maker_->patches(tokens, *patches, plan_.image_channels, norm ? PatchPositions::kLater : PatchPositions::kAdd, y), id, {},
        {y.id}, all_rows(id));
    if (norm != nullptr) add(make_patch_norm(*norm, *options_.kernels, plan_.prefix_rows, y), id, {own(y)}, {y.id}, all_rows(id));
    finish(id, y);
  }

  // ---- linear layers ----
  /// What all readers of a value want it as; float32 when they differ, or when one is no linear layer.
  Precision wanted_format(int id) const {
    if (of(id).kept || of(id).uses == 0 || has_selection(id)) return Precision::kF32;
    std::set<Precision> wanted;
    for (int reader = id + 1; reader < static_cast<int>(graph_.nodes().size()); ++reader)
      if (of(reader).needed && std::count(node(reader).inputs.begin(), node(reader).inputs.end(), id))
        wanted.insert(node(reader).kind == NodeKind::kLinear ? maker_->precision(node(reader)) : Precision::kF32);
    return wanted.size() == 1 ? *wanted.begin() : Precision::kF32;
  }
  void emit_layer_norm(int id) {
    const int input = node(id).inputs[0];
    const Precision format = wanted_format(id);
    const BufferRef x = buffer_of(input), y = buffer_for(node(id).domain, operand_floats(format, node(id).channels));
    format_[static_cast<size_t>(id)] = format;
    add(maker_->layer_norm(node(id), format, x, y), id, {own(x)}, {y.id}, work(id));
    use(input);
    finish(id, y);
  }
  /// A linear layer's input as it reads it; in a buffer of its own when the value stands in another format.
  BufferRef operand(int linear) {
    const int input = node(linear).inputs[0];
    const Precision wanted = maker_->precision(node(linear));
    const BufferRef x = buffer_of(input);
    if (format_[static_cast<size_t>(input)] == wanted) return x;
    const BufferRef y = buffer_for(node(input).domain, operand_floats(wanted, node(input).channels));
    add(maker_->operands(node(input), wanted, x, y), input, {own(x)}, {y.id}, work(input));
    return y;
  }
  /// The linear layer has read `x`, which operand() gave.
  void use_operand(int linear, BufferRef x) {
    const int input = node(linear).inputs[0];
    if (x.id != buffer_of(input).id) free_.emplace(std::pair{node(input).domain, x.stride}, x);
    use(input);
  }

  /// What the linear layer `id` writes `result` as. A row's scale of 8 bits would need the whole row first.
  Precision result_format(int id, int result) const {
    const bool narrow = maker_->precision(node(id)) != Precision::kF32;
    const bool padded = operand_bytes(Precision::kBF16, node(result).channels) != 2 * node(result).channels;
    return narrow && !padded && wanted_format(result) == Precision::kBF16 ? Precision::kBF16 : Precision::kF32;
  }
  void emit_linear(int id) {
    const int reader = sole_reader(id);
    const BufferRef x = operand(id);
    if (reader >= 0 && node(reader).kind == NodeKind::kAttention && maker_->has_heads()) {
      const HeadBuffers h = heads(reader);
      add(maker_->qkv(node(id), node(reader), h, columns_of(id, work(reader)), x), id, {own(x)}, {h.q.id, h.keys, h.values},
          columns_of(id, all_rows(id)));
      return use_operand(id, x);
    }
    LinearTail tail;
    if (const int sum = residual_sum(id, &tail); sum >= 0) return emit_residual(id, x, sum, tail);
    int result = id;
    if (reader >= 0 && node(reader).kind == NodeKind::kActivation) {
      tail.activation = node(reader).activation;
      fuse(result = reader);
    }
    const bool for_attention = reader >= 0 && node(reader).kind == NodeKind::kAttention;
    if (!for_attention) tail.result = result_format(id, result);
    format_[static_cast<size_t>(result)] = tail.result;
    const int64_t floats = operand_floats(tail.result, node(result).channels);
    const BufferRef y = for_attention ? plain_qkv(id) : buffer_for(node(result).domain, floats);
    add(maker_->linear(node(id), tail, x, y), result, {own(x)}, {y.id}, columns_of(id, work(result)));
    use_operand(id, x);
    finish(result, y);
  }

  /// The node `x + [gamma *] linear` when `linear` can be added to x where x stands: x is finished and nobody else will read it.
  int residual_sum(int id, LinearTail* tail) {
    int sum = sole_reader(id), below = id;
    if (sum >= 0 && node(sum).kind == NodeKind::kScale) below = sum, sum = sole_reader(sum);
    if (sum < 0 || node(sum).kind != NodeKind::kAdd) return -1;
    const int x = other_input(sum, below);
    if (x == below || buffer_of(x).id < 0 || uses_left_[static_cast<size_t>(x)] != 1) return -1;
    tail->accumulate = true;
    if (below != id) {
      tail->gamma = &node(below).scale;
      fuse(below);
    }
    fuse(sum);
    return sum;
  }
  int other_input(int sum, int below) const { return node(sum).inputs[0] == below ? node(sum).inputs[1] : node(sum).inputs[0]; }

  void emit_residual(int id, BufferRef x, int sum, const LinearTail& tail) {
    const int a = node(sum).inputs[0];
    const int old = buffer_of(a).id >= 0 ? a : node(sum).inputs[1];  // of the two the one that is finished
    const BufferRef y = buffer_of(old);
    add(maker_->linear(node(id), tail, x, y), sum, {own(x), own(y)}, {y.id}, columns_of(id, work(sum)));
    use_operand(id, x);
    --uses_left_[static_cast<size_t>(old)];  // its buffer lives on as the sum's
    finish(sum, y);
  }

  // ---- attention ----
  /// Block b writes keys and values into buffer b mod 2: a fast thread never overwrites what a slow one still reads.
  HeadBuffers heads(int attention) {
    const HeadLayout l = maker_->head_layout(node(attention));
    HeadBuffers& next = key_values_[{l.heads, l.head_dim}][attentions_++ % 2];
    if (next.keys < 0) {
      next.keys = new_buffer(BufferKind::kKeys, l.key_floats()).id;
      next.values = new_buffer(BufferKind::kValues, l.value_floats()).id;
    }
    next.q = buffer_for(Domain::kRows, l.key_floats());
    plan_.key_rows_multiple = l.panel;
    heads_of_[attention] = next;
    return next;
  }
  /// The same for a backend that reads keys and values from a [rows, 3C] value.
  BufferRef plain_qkv(int id) {
    BufferRef& next = qkv_[node(id).channels][attentions_++ % 2];
    if (next.id < 0) next = new_buffer(BufferKind::kRows, node(id).channels);
    kept_apart_.insert(next.id);
    return next;
  }

  void emit_attention(int id) {
    const int input = node(id).inputs[0];
    const BufferRef y = buffer_for(id);
    if (!maker_->has_heads()) {
      const BufferRef qkv = buffer_of(input);
      add(maker_->plain_attention(node(id), qkv, y), id, {shared(qkv.id)}, {y.id}, work(id));
      use(input);
      return finish(id, y);
    }
    if (!heads_of_.count(id)) {
      const HeadBuffers h = heads(id);
      const BufferRef x = buffer_of(input);
      add(maker_->pack_heads(node(id), h, x), id, {own(x)}, {h.q.id, h.keys, h.values}, all_rows(id));
      use(input);
    }
    const HeadBuffers h = heads_of_.at(id);
    add(maker_->attention(node(id), h, y), id, {own(h.q), shared(h.keys), shared(h.values)}, {y.id}, work(id));
    free_.emplace(std::pair{Domain::kRows, h.q.stride}, h.q);
    finish(id, y);
  }

  // ---- one input, a result with a buffer of its own ----
  template <class Make>
  void emit_unary(int id, Scope scope, Make make) {
    const int input = node(id).inputs[0];
    const BufferRef x = buffer_of(input), y = buffer_for(id);
    add(make(x, y), id, {{x.id, scope}}, {y.id}, work(id));
    use(input);
    finish(id, y);
  }
  void emit_select(int id) {
    // An image belongs to the thread that owns its first row.
    const bool first = prefix_index(graph_, *node(id).row_kind) == 0;
    emit_unary(id, first ? Scope::kRow : Scope::kImage, [&](BufferRef x, BufferRef y) {
      auto step = std::make_unique<SelectRowStep>();
      step->implementation = "copy";
      step->x = x, step->y = y, step->channels = node(id).channels, step->kind = *node(id).row_kind;
      return step;
    });
  }
  void emit_multiply(int id) {
    emit_unary(id, Scope::kRow, [&](BufferRef x, BufferRef y) {
      auto step = std::make_unique<MultiplyStep>();
      step->implementation = "row";
      step->kernels = options_.kernels;
      step->x = x, step->y = y, step->channels = node(id).channels, step->factor = node(id).factor;
      return step;
    });
  }
  void emit_add(int id) {
    const int a = node(id).inputs[0], b = node(id).inputs[1];
    const BufferRef y = buffer_for(id);
    add(maker_->add(node(id), buffer_of(a), buffer_of(b), y), id, {own(buffer_of(a)), own(buffer_of(b))}, {y.id}, work(id));
    use(a);
    use(b);
    finish(id, y);
  }
  void emit_concat(int id) {
    const BufferRef y = buffer_for(id);
    int64_t column = 0;
    for (const int input : node(id).inputs) {
      auto step = std::make_unique<CopyStep>();
      step->implementation = "copy";
      step->x = buffer_of(input), step->y = y;
      step->channels = node(input).channels, step->y_column = column;
      column += node(input).channels;
      add(std::move(step), id, {own(buffer_of(input))}, {y.id}, work(id));
      use(input);
    }
    finish(id, y);
  }

  const Graph& graph_;
  const PlanOptions& options_;
  StepMaker* maker_;
  Plan plan_;
  std::vector<int> kept_;
  std::vector<NodeDemand> demand_;
  std::vector<BufferRef> buffer_of_;
  std::vector<Precision> format_;  ///< of each value in its buffer
  std::vector<bool> fused_;
  std::vector<int> uses_left_;
  std::vector<StepAccess> access_;
  std::multimap<std::pair<Domain, int64_t>, BufferRef> free_;
  std::map<std::pair<int64_t, int64_t>, HeadBuffers[2]> key_values_;  ///< by heads and head_dim: the two parities
  std::map<int, HeadBuffers> heads_of_;
  std::map<int64_t, BufferRef[2]> qkv_;  ///< by channels
  std::set<int> kept_apart_;             ///< buffers that do not go back to the free ones
  int attentions_ = 0;
  int stage_ = 0;  ///< token selections so far
  int64_t counted_weight_bytes_ = 0;
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

Plan compile(const Model& model, const PlanOptions& options, StepMaker& maker) { return Compiler(model, options, maker).run(); }

Plan compile(const Model& model, const PlanOptions& options) {
  const auto maker = options.backend == Backend::kOwn ? make_own_steps(model, options) : make_onednn_steps(model, options);
  return compile(model, options, *maker);
}

}  // namespace vit
