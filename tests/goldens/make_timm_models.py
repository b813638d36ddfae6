#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/fixtures/models/timm-*: tiny seeded models as timm saves them, and what timm computes from them in float32.

    pip install torch==2.13.0 timm==1.0.31 safetensors
    python tests/goldens/make_timm_models.py [MODEL...]

Beside each model lies goldens/HEIGHTxWIDTH.safetensors: the input, the tokens before the first block, every block's output, the
features (forward_features), the embedding (forward_head with pre_logits) and the logits. Sizes other than a model's own are those that
it has after timm's set_input_size.
"""
import json
import pathlib
import shutil
import sys

import timm
import torch
from safetensors.torch import save_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "models"

# folder, entry of the registry, arguments over it, layout of config.json, sizes to run at. Between them: every kind of block, pool, norm,
# MLP and prefix token.
MODELS = [
    ("timm-registers", "vit_tiny_patch16_224",
     {"img_size": [24, 40], "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 5, "mlp_ratio": 2.5,
      "reg_tokens": 2, "no_embed_class": True, "init_values": 0.1, "qk_norm": True, "global_pool": "avg", "act_layer": "gelu_tanh"},
     "new", [(24, 40), (40, 32)]),
    ("timm-map", "vit_base_patch16_siglip_224",
     {"img_size": [16, 24], "patch_size": 8, "embed_dim": 40, "depth": 2, "num_heads": 2, "num_classes": 3, "reg_tokens": 1,
      "embed_norm_layer": "rmsnorm", "scale_attn_norm": True, "scale_mlp_norm": True, "norm_layer": "rmsnorm"}, "new", [(16, 24)]),
    ("timm-distilled", "deit_tiny_distilled_patch16_224",
     {"img_size": 24, "patch_size": 8, "embed_dim": 36, "depth": 2, "num_heads": 3, "num_classes": 4, "qkv_bias": False}, "old",
     [(24, 24), (32, 16)]),
    ("timm-swiglu", "vit_giant_patch14_reg4_dinov2",
     {"img_size": 21, "patch_size": 7, "embed_dim": 32, "depth": 2, "num_heads": 4, "num_classes": 6, "global_pool": "avgmax",
      "pool_include_prefix": True, "pre_norm": True, "in_chans": 2}, "new", [(21, 21)]),
    ("timm-things", "vit_small_patch16_18x2_224",
     {"img_size": 16, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 3, "global_pool": "max"}, "new",
     [(16, 16)]),
    ("timm-parallel", "vit_pwee_patch16_reg1_gap_256",
     {"img_size": 16, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 0, "mlp_ratio": 2}, "new", [(16, 16)]),
    ("timm-differential", "vit_dpwee_patch16_reg1_gap_256",
     {"img_size": 16, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 3, "mlp_ratio": 2, "qk_norm": True},
     "new", [(16, 16)]),
    ("timm-post-norm", "vit_base_patch16_rpn_224",
     {"img_size": 16, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 3, "mlp_ratio": 2, "attn_layer": "diff"},
     "new", [(16, 16)]),
    ("timm-tokens", "vit_tiny_patch16_224",
     {"img_size": [16, 24], "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "num_classes": 3, "global_pool": ""}, "new",
     [(16, 24)]),
    # Neither the model's own size nor the next one is a multiple of the patch.
    ("timm-padded", "vit_tiny_patch16_224",
     {"img_size": [21, 30], "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "num_classes": 3, "dynamic_img_size": True,
      "dynamic_img_pad": True}, "new", [(21, 30), (33, 17), (16, 24)]),
]


@torch.no_grad()
def randomise(model, seed):
    """Weights that make every part matter: attention far from uniform, norms and scales far from the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=generator)
        if "lambda" in name:
            p.copy_(0.3 * noise)
        elif "gamma" in name:
            p.copy_(0.5 + 0.3 * noise)
        elif "norm" in name:
            p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * noise)
        elif "token" in name or "pos_embed" in name or "latent" in name:
            p.copy_(0.7 * noise)
        elif name.endswith("bias"):
            p.copy_(0.2 * noise)
        else:
            p.copy_(1.3 * noise / p[0].numel() ** 0.5)


@torch.no_grad()
def golden(model, size, batch, seed):
    channels = model.patch_embed.proj.in_channels
    images = torch.randn((batch, channels, *size), generator=torch.Generator().manual_seed(seed))
    if not model.dynamic_img_size:
        model.set_input_size(img_size=size)
    found = {"input": images, "tokens": model._pos_embed(model.patch_embed(images))}

    def keep(name):
        def hook(_module, _inputs, output):
            found[name] = output.clone()
        return hook

    hooks = [block.register_forward_hook(keep(f"blocks.{i}")) for i, block in enumerate(model.blocks)]
    found["features"] = model.forward_features(images)
    for hook in hooks:
        hook.remove()
    found["embedding"] = model.forward_head(found["features"], pre_logits=True)
    if model.global_pool == "":
        found["embedding"] = found["embedding"][:, 0]  # timm gives all tokens; ours is the class token's
    if model.num_classes:
        found["logits"] = model.forward_head(found["features"])
    return {name: value.float().contiguous().clone() for name, value in found.items()}


def configuration(model, entry, arguments, layout):
    side = arguments["img_size"]
    size = side if isinstance(side, list) else [side, side]
    pretrained = {"input_size": [arguments.get("in_chans", 3), *size], "fixed_input_size": True, "interpolation": "bicubic",
                  "crop_pct": 0.9, "crop_mode": "center", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
                  "num_classes": arguments["num_classes"]}
    config = {"architecture": entry, "num_classes": arguments["num_classes"], "num_features": model.num_features,
              "global_pool": model.global_pool, "model_args": arguments}
    return {**config, **pretrained} if layout == "old" else {**config, "pretrained_cfg": pretrained}


def make_model(name, entry, arguments, layout, sizes, seed):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "goldens").mkdir(parents=True)
    model = timm.create_model(entry, **arguments).eval()
    randomise(model, seed)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(configuration(model, entry, arguments, layout), indent=2) + "\n", encoding="utf-8")
    for i, size in enumerate(sizes):
        save_file(golden(model, list(size), 1 if i else 2, 100 * seed + i), folder / "goldens" / f"{size[0]}x{size[1]}.safetensors",
                  {"torch": torch.__version__.split("+")[0], "timm": timm.__version__})


if __name__ == "__main__":
    torch.set_num_threads(1)
    for index, entry in enumerate(MODELS):
        if not sys.argv[1:] or entry[0] in sys.argv[1:]:
            make_model(*entry, seed=50 + index)
