// SPDX-License-Identifier: Apache-2.0
// DeiT (Touvron et al. 2021) after transformers' modeling_deit.py: DeiTModel, DeiTForImageClassification and
// DeiTForImageClassificationWithTeacher. All of them have a distillation token after the class token.
#include "runtime/arch/hf_encoder.h"

namespace vit {
namespace {

constexpr char kModel[] = "DeiTModel", kPlain[] = "DeiTForImageClassification",
               kTeacher[] = "DeiTForImageClassificationWithTeacher";

/// The class by its tensors, for files that do not name it.
std::string class_by_tensors(const WeightStore& store) {
  const auto& tensors = store.tensors();
  return tensors.count("distillation_classifier.weight") ? kTeacher : tensors.count("classifier.weight") ? kPlain : kModel;
}

// The mean of what the class token says and of what the distillation token says.
Value with_teacher(Graph& g, const JsonFields& config, const HfBody& body, ModelConfig& m, Value pooled) {
  const Value distilled = g.select_row(body.features, TokenKind::kDistillation, "pool.distillation");
  const Value a = classify(g, config, body, m, pooled, "cls_classifier", "logits.class"),
              b = classify(g, config, body, m, distilled, "distillation_classifier", "logits.distillation");
  return g.multiply(g.add(a, b, "logits.sum"), 0.5f, "logits");
}

}  // namespace

BuiltModel build_hf_deit(const JsonFields& config, const WeightStore& store) {
  HfConfig c = read_hf_vit_config(config, 1e-12);
  ModelConfig& m = c.model;
  m.distilled = true;
  m.architecture = read_class(config, {kModel, kPlain, kTeacher}).value_or(class_by_tensors(store));

  Graph g;
  const HfBody body = build_hf_body(g, config, store, c, "deit.");
  const Value pooled = g.select_row(body.features, TokenKind::kClass, "pool");
  if (m.architecture == kTeacher) g.set_output(Output::kLogits, with_teacher(g, config, body, m, pooled));
  if (m.architecture == kPlain) g.set_output(Output::kLogits, classify(g, config, body, m, pooled, "classifier", "logits"));
  set_embedding(g, config, body, m.embed_dim, pooled, m.architecture != kModel);
  finish(body);
  return {std::move(m), std::move(g)};
}

}  // namespace vit
