// SPDX-License-Identifier: Apache-2.0
// ViT (Dosovitskiy et al. 2020) after transformers' modeling_vit.py: ViTModel and ViTForImageClassification.
#include "runtime/arch/hf_encoder.h"

namespace vit {

BuiltModel build_hf_vit(const JsonFields& config, const WeightStore& store) {
  HfConfig c = read_hf_vit_config(config, 1e-12);
  ModelConfig& m = c.model;
  const bool classifier = read_has_classifier(config, store, "ViTModel", "ViTForImageClassification");
  m.architecture = classifier ? "ViTForImageClassification" : "ViTModel";

  Graph g;
  const HfBody body = build_hf_body(g, config, store, c, "vit.");
  const Value pooled = g.select_row(body.features, TokenKind::kClass, "pool");
  if (classifier) g.set_output(Output::kLogits, classify(g, config, body, m, pooled, "classifier", "logits"));
  set_embedding(g, config, body, m.embed_dim, pooled, classifier);
  finish(body);
  return {std::move(m), std::move(g)};
}

}  // namespace vit
