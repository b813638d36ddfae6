// SPDX-License-Identifier: Apache-2.0
// ViT-MSN (Assran et al. 2022) after transformers' modeling_vit_msn.py: ViT without a pooler, and with another epsilon.
#include "runtime/arch/hf_encoder.h"

namespace vit {

BuiltModel build_hf_vit_msn(const JsonFields& config, const WeightStore& store) {
  HfConfig c = read_hf_vit_config(config, 1e-6);
  ModelConfig& m = c.model;
  const bool classifier = read_has_classifier(config, store, "ViTMSNModel", "ViTMSNForImageClassification");
  m.architecture = classifier ? "ViTMSNForImageClassification" : "ViTMSNModel";

  Graph g;
  const HfBody body = build_hf_body(g, config, store, c, "vit.");
  const Value pooled = g.select_row(body.features, TokenKind::kClass, "embedding");
  g.set_output(Output::kEmbedding, pooled);
  if (classifier) g.set_output(Output::kLogits, classify(g, config, body, m, pooled, "classifier", "logits"));
  finish(body);
  return {std::move(m), std::move(g)};
}

}  // namespace vit
