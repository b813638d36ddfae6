// SPDX-License-Identifier: Apache-2.0
// VisionTransformer and VisionTransformerDistilled after timm's models/vision_transformer.py and models/deit.py.
#include <cmath>

#include "ops/core/error.h"
#include "runtime/arch/family.h"
#include "runtime/arch/timm_checkpoint.h"
#include "runtime/arch/timm_parts.h"

namespace vit {
namespace {

// Block.forward
Value plain_block(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name) {
  // x = x + ls1(attn(norm1(x)))
  Value y = timm_norm(g, x, w, "norm1", c, name + ".norm1");
  y = timm_attention(g, y, w.at("attn."), c, depth, name + ".attn");
  y = timm_layer_scale(g, y, w, "ls1", c, name + ".ls1");
  x = g.add(x, y, name + ".residual1");

  // x = x + ls2(mlp(norm2(x)))
  y = timm_norm(g, x, w, "norm2", c, name + ".norm2");
  y = timm_mlp(g, y, w.at("mlp."), c, name + ".mlp");
  y = timm_layer_scale(g, y, w, "ls2", c, name + ".ls2");
  return g.add(x, y, name);
}

// ResPostBlock.forward (Liu et al. 2021, "Swin Transformer V2"): norms behind, and no LayerScale.
Value res_post_block(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name) {
  // x = x + norm1(attn(x))
  Value y = timm_attention(g, x, w.at("attn."), c, depth, name + ".attn");
  x = g.add(x, timm_norm(g, y, w, "norm1", c, name + ".norm1"), name + ".residual1");

  // x = x + norm2(mlp(x))
  y = timm_mlp(g, x, w.at("mlp."), c, name + ".mlp");
  return g.add(x, timm_norm(g, y, w, "norm2", c, name + ".norm2"), name);
}

// ParallelThingsBlock.forward (Touvron et al. 2022, "Three things everyone should know about Vision Transformers").
Value parallel_things_block(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name) {
  constexpr int kParallel = 2;
  const auto branch = [&](const std::string& part, bool attention) {
    const Weights p = w.at(part + ".");
    Value y = timm_norm(g, x, p, "norm", c, name + "." + part + ".norm");
    y = attention ? timm_attention(g, y, p.at("attn."), c, depth, name + "." + part + ".attn")
                  : timm_mlp(g, y, p.at("mlp."), c, name + "." + part + ".mlp");
    return timm_layer_scale(g, y, p, "ls", c, name + "." + part + ".ls");
  };
  const auto sum = [&](const std::string& parts, bool attention) {
    Value all = branch(parts + ".0", attention);
    for (int i = 1; i < kParallel; ++i) all = g.add(all, branch(str(parts, ".", i), attention), str(name, ".", parts, ".sum", i));
    return all;
  };
  // x = x + sum of attns(x), then x = x + sum of ffns(x)
  x = g.add(x, sum("attns", true), name + ".residual1");
  return g.add(x, sum("ffns", false), name);
}

// ParallelScalingBlock.forward, DiffParallelScalingBlock.forward (Dehghani et al. 2023, "Scaling Vision Transformers to 22
// Billion Parameters"): one projection for the MLP and for queries, keys and values.
Value parallel_scaling_block(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name) {
  const int64_t C = c.model.embed_dim, M = c.mlp_hidden;
  const bool differential = c.block_fn == TimmBlock::kDiffParallelScaling;
  const Tensor in_proj = w.take("in_proj.weight", Shape{M + 3 * C, C});
  const Tensor bias = c.qkv_bias ? w.take("in_proj.bias", Shape{M + 3 * C}) : w.take("mlp_bias", Shape{M});

  const Value y = timm_norm(g, x, w, "in_norm", c, name + ".in_norm");
  Value attention =
      g.linear(y, {{in_proj.rows(M, 3 * C)}, {c.qkv_bias ? bias.rows(M, 3 * C) : Tensor{}}, C, 3 * C}, name + ".qkv");
  attention = differential ? timm_differential_heads(g, attention, w, c, depth, name) : timm_heads(g, attention, w, c, name);
  Value mlp = g.linear(y, {{in_proj.rows(0, M)}, {bias.rows(0, M)}, C, M}, name + ".fc1");
  mlp = g.activation(mlp, c.act_layer, name + ".act");

  Value out;
  if (differential) {
    out = g.linear(g.concat(attention, mlp, name + ".both"), linear_weights(w, "out_proj", C, C + M, timm_proj_bias(c)),
                   name + ".out_proj");
  } else {
    out = g.linear(attention, linear_weights(w, "attn_out_proj", C, C, timm_proj_bias(c)), name + ".attn_out_proj");
    out = g.add(out, g.linear(mlp, linear_weights(w, "mlp_out_proj", C, M, timm_proj_bias(c)), name + ".mlp_out_proj"),
                name + ".out");
  }
  if (c.init_values) out = g.scale(out, w.take("ls.gamma", Shape{C}), name + ".ls");
  return g.add(x, out, name);
}

Value block(Graph& g, Value x, const Weights& w, const TimmConfig& c, int64_t depth, const std::string& name) {
  switch (c.block_fn) {
    case TimmBlock::kPlain: return plain_block(g, x, w, c, depth, name);
    case TimmBlock::kResPost: return res_post_block(g, x, w, c, depth, name);
    case TimmBlock::kParallelThings: return parallel_things_block(g, x, w, c, depth, name);
    case TimmBlock::kParallelScaling:
    case TimmBlock::kDiffParallelScaling: return parallel_scaling_block(g, x, w, c, depth, name);
  }
  return x;
}

/// (a + b) / 2
Value average(Graph& g, Value a, Value b, const std::string& name) {
  const Value sum = g.add(a, b, name + ".sum");
  return g.multiply(sum, 0.5f, name);
}

// AttentionPoolLatent.forward
Value attention_pool(Graph& g, Value x, const Weights& w, const TimmConfig& c, PooledRows rows) {
  const int64_t C = c.model.embed_dim, M = c.mlp_hidden;
  const Value kv = g.linear(x, linear_weights(w, "kv", 2 * C, C), "attn_pool.kv");
  Value y = g.attention_pool(kv, {w.take("latent", Shape{1, 1, C}), linear_weights(w, "q", C, C)},
                             static_cast<int>(c.model.num_heads), rows, "attn_pool.attention");
  y = g.linear(y, linear_weights(w, "proj", C, C), "attn_pool.proj");
  Value z = timm_norm(g, y, w, "norm", c, "attn_pool.norm");
  z = g.activation(g.linear(z, linear_weights(w, "mlp.fc1", M, C), "attn_pool.fc1"), c.act_layer, "attn_pool.act");
  return g.add(y, g.linear(z, linear_weights(w, "mlp.fc2", C, M), "attn_pool.fc2"), "attn_pool");
}

// AttentionPoolPrr.forward: the tokens attend to themselves, without weights.
Value attend_to_self(Graph& g, Value x, const TimmConfig& c) {
  const Value qkv = g.concat(g.concat(x, x, "attn_pool.qk"), x, "attn_pool.qkv");
  return g.attention(qkv, static_cast<int>(c.model.num_heads), "attn_pool");
}

// VisionTransformer.pool; tokens as they are for global_pool ''.
Value pool(Graph& g, Value x, const Weights& w, const TimmConfig& c) {
  const PooledRows rows = c.pool_include_prefix ? PooledRows() : PooledRows(TokenKind::kPatch);
  switch (c.global_pool) {
    case TimmPool::kToken: return g.select_row(x, TokenKind::kClass, "pool");
    case TimmPool::kAvg: return g.mean_rows(x, rows, "pool");
    case TimmPool::kMax: return g.max_rows(x, rows, "pool");
    case TimmPool::kAvgMax: return average(g, g.max_rows(x, rows, "pool.max"), g.mean_rows(x, rows, "pool.mean"), "pool");
    case TimmPool::kMap: return attention_pool(g, x, w.at("attn_pool."), c, rows);
    case TimmPool::kPrr: {
      const Value y = attend_to_self(g, x, c);
      return c.class_token ? g.select_row(y, TokenKind::kClass, "pool") : g.mean_rows(y, {}, "pool");
    }
    case TimmPool::kNone: return x;
  }
  return x;
}

// VisionTransformer.forward_head. With global_pool '' every token has logits of its own; the embedding then is the class token's
// row, or the mean over the patches.
void head(Graph& g, Value x, const Weights& w, const TimmConfig& c) {
  const int64_t C = c.model.embed_dim, K = c.num_classes;
  Value pooled = pool(g, x, w, c);
  if (c.final_norm && c.fc_norm) pooled = timm_norm(g, pooled, w, "fc_norm", c, "fc_norm");
  if (K > 0) g.set_output(Output::kLogits, g.linear(pooled, linear_weights(w, "head", K, C), "logits"));
  if (c.global_pool == TimmPool::kNone)
    pooled = c.class_token ? g.select_row(pooled, TokenKind::kClass, "embedding")
                           : g.mean_rows(pooled, TokenKind::kPatch, "embedding");
  g.set_output(Output::kEmbedding, pooled);
}

// VisionTransformerDistilled.forward_head, which knows of no fc_norm.
void distilled_head(Graph& g, Value x, const Weights& w, const TimmConfig& c) {
  const int64_t C = c.model.embed_dim, K = c.num_classes;
  const Value token = g.select_row(x, TokenKind::kClass, "pool"),
              distilled = g.select_row(x, TokenKind::kDistillation, "pool.distilled");
  g.set_output(Output::kEmbedding, average(g, token, distilled, "embedding"));
  for (const char* part : {"fc_norm.weight", "fc_norm.bias"}) w.ignore(w.full_name(part));
  if (K == 0) return;
  const Value a = g.linear(token, linear_weights(w, "head", K, C), "head"),
              b = g.linear(distilled, linear_weights(w, "head_dist", K, C), "head_dist");
  g.set_output(Output::kLogits, average(g, a, b, "logits"));
}

BuiltModel build(const TimmSource& source, const WeightStore& file) {
  const std::optional<WeightStore> converted = timm_checkpoint(file);
  const WeightStore& store = converted ? *converted : file;
  TimmConfig c = read_timm_config(source, store);
  const Weights all(store);
  // transformers' wrapper saves the model under a name of its own.
  const Weights w = all.at(all.has("timm_model.patch_embed.proj.weight") ? "timm_model." : "");

  Graph g;
  Value x = timm_embed(g, source, w, c);
  if (c.pre_norm) x = timm_norm(g, x, w, "norm_pre", c, "norm_pre");
  for (int64_t i = 0; i < c.model.depth; ++i) {
    const std::string name = "blocks." + std::to_string(i);
    x = block(g, x, w.at(name + "."), c, i, name);
  }
  if (c.final_norm && !c.fc_norm) x = timm_norm(g, x, w, "norm", c, "norm");
  g.set_output(Output::kFeatures, x);
  if (c.distilled)
    distilled_head(g, x, w, c);
  else
    head(g, x, w, c);

  for (const char* part : {"weight", "bias"}) w.ignore(w.full_name(str("pre_logits.fc.", part)));  // timm drops it, too
  all.require_all_used();
  c.model.labels = timm_labels(source, c.num_classes);
  const int64_t channels = c.model.channels;
  return {std::move(c.model), std::move(g), recipe_from_timm(source.pretrained(), channels)};
}

}  // namespace

BuiltModel build_timm_vit(const JsonFields& config, const WeightStore& store) { return build(TimmSource(config), store); }

BuiltModel build_timm_vit(const std::string& name, const WeightStore& store, const UntrainedSize& size) {
  return build(TimmSource(name, size), store);
}

}  // namespace vit
