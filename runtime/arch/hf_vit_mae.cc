// SPDX-License-Identifier: Apache-2.0
// The encoder of ViT-MAE (He et al. 2021) after transformers' modeling_vit_mae.py: ViTMAEModel, and that of ViTMAEForPreTraining,
// whose decoder is left alone.
//
// Nothing is masked here, whatever mask_ratio says, and the patches stay in their order: transformers at mask_ratio 0 with rising
// noise.
#include "runtime/arch/hf_encoder.h"

namespace vit {

BuiltModel build_hf_vit_mae(const JsonFields& config, const WeightStore& store) {
  HfConfig c = read_hf_vit_config(config, 1e-12);
  ModelConfig& m = c.model;
  m.architecture = read_class(config, {"ViTMAEModel", "ViTMAEForPreTraining"}).value_or("ViTMAEModel");

  Graph g;
  const HfBody body = build_hf_body(g, config, store, c, "vit.");
  g.set_output(Output::kEmbedding, g.select_row(body.features, TokenKind::kClass, "embedding"));
  body.weights.ignore_all("decoder.");
  finish(body);
  return {std::move(m), std::move(g)};
}

}  // namespace vit
