// SPDX-License-Identifier: Apache-2.0
// I-JEPA (Assran et al. 2023) after transformers' modeling_ijepa.py: ViT without a class token. The classifier reads the mean
// over the patches, which is the embedding, too.
#include "runtime/arch/hf_encoder.h"

namespace vit {

BuiltModel build_hf_ijepa(const JsonFields& config, const WeightStore& store) {
  HfConfig c = read_hf_vit_config(config, 1e-12);
  c.class_token = false;
  ModelConfig& m = c.model;
  const bool classifier = read_has_classifier(config, store, "IJepaModel", "IJepaForImageClassification");
  m.architecture = classifier ? "IJepaForImageClassification" : "IJepaModel";

  Graph g;
  const HfBody body = build_hf_body(g, config, store, c, "ijepa.");
  const Value pooled = g.mean_rows(body.features, {}, "embedding");
  g.set_output(Output::kEmbedding, pooled);
  if (classifier) g.set_output(Output::kLogits, classify(g, config, body, m, pooled, "classifier", "logits"));
  finish(body);
  return {std::move(m), std::move(g)};
}

}  // namespace vit
