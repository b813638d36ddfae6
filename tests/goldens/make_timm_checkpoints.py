#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/fixtures/checkpoints/*: tiny seeded models under the names that other projects give to their tensors, and what timm
computes from them in float32 once its checkpoint_filter_fn has converted them.

    pip install torch==2.13.0 timm==1.0.31 safetensors
    python tests/goldens/make_timm_checkpoints.py [CHECKPOINT...]
"""
import json
import pathlib
import shutil
import sys

import timm
import torch
from safetensors.torch import save_file
from timm.models.deit import checkpoint_filter_fn

from make_timm_models import golden, randomise

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "checkpoints"
TINY = {"img_size": [16, 24], "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "num_classes": 3}


def renamed(tensors, pairs):
    out = {}
    for name, value in tensors.items():
        for old, new in pairs:
            name = name.replace(old, new)
        out[name] = value
    return out


def clip(tensors):
    """OpenAI's: model.visual of a CLIP, and something of its text tower."""
    head = tensors.pop("head.weight")
    assert not tensors.pop("head.bias").any()
    out = renamed(tensors, [("patch_embed.proj", "conv1"), ("pos_embed", "positional_embedding"), ("blocks.", "transformer.resblocks."),
                            ("norm_pre", "ln_pre"), ("norm1", "ln_1"), ("norm2", "ln_2"), ("attn.qkv.", "attn.in_proj_"),
                            ("attn.proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), ("norm.", "ln_post.")])
    out["class_embedding"] = out.pop("cls_token")[0, 0]
    out["positional_embedding"] = out["positional_embedding"][0]
    out["proj"] = head.T
    return {**{f"visual.{k}": v for k, v in out.items()}, "token_embedding.weight": torch.zeros(5, 8)}


def aimv2(tensors):
    out = {}
    for name, value in tensors.items():
        name = name.replace("mlp.fc1_g", "mlp.fc1").replace("mlp.fc1_x", "mlp.fc3").replace("norm1", "norm_1").replace("norm2", "norm_2")
        if name.startswith("blocks."):
            name = "trunk." + name
        elif name.startswith("norm."):
            name = "trunk.post_trunk_" + name
        elif name.startswith("patch_embed."):
            name = "preprocessor.patchifier." + name.removeprefix("patch_embed.")
        elif name == "pos_embed":
            name = "preprocessor.pos_embed"
        out[name] = value
    return out


def dinov2(tensors):
    """With registers, whose class token has a position."""
    out = renamed(tensors, [("reg_token", "register_tokens"), ("mlp.fc1", "mlp.w12"), ("mlp.fc2", "mlp.w3")])
    position = torch.linspace(-1, 1, out["cls_token"].numel()).reshape(1, 1, -1)
    out["cls_token"] = out["cls_token"] - position
    out["pos_embed"] = torch.cat([position, out["pos_embed"]], dim=1)
    out["mask_token"] = torch.ones(1, out["cls_token"].shape[-1])
    return out


def tipsv2(tensors):
    """DINOv2's beside a text encoder."""
    return {**{f"vision_encoder.{k}": v for k, v in dinov2(tensors).items()}, "text_encoder.ln.weight": torch.ones(4)}


def beit3(tensors):
    """Branch A of each pair, queries, keys and values apart, two positions that pictures do not use, and something of the text's."""
    out = {}
    for name, value in tensors.items():
        for old, new in [("norm1.", "self_attn_layer_norm.A."), ("norm2.", "final_layer_norm.A."), ("attn.norm.", "self_attn.inner_attn_ln.A."),
                         ("attn.proj.", "self_attn.out_proj.A."), ("mlp.norm.", "ffn.A.ffn_layernorm."), ("mlp.", "ffn.A."),
                         ("blocks.", "beit3.encoder.layers."), ("patch_embed.", "beit3.vision_embed."), ("cls_token", "beit3.vision_embed.cls_token")]:
            name = name.replace(old, new)
        if name == "pos_embed":
            out["beit3.encoder.embed_positions.A.weight"] = torch.cat([torch.ones(2, value.shape[-1]), value[0]])
        elif ".attn.qkv." in name:
            for part, rows in zip("qkv", value.chunk(3)):
                out[name.replace(".attn.qkv.", f".self_attn.{part}_proj.A.")] = rows.clone()
        else:
            out[name] = value
    text = {name.replace(".A.", ".B."): value.clone() for name, value in out.items() if ".A." in name}
    return {**out, **text, "beit3.text_embed.weight": torch.zeros(5, 8), "beit3.vision_embed.mask_token": torch.ones(1, 1, 24)}


def deit3(tensors):
    """With a patch projection of before convolutions, too."""
    out = renamed(tensors, [("ls1.gamma", "gamma_1"), ("ls2.gamma", "gamma_2")])
    out["patch_embed.proj.weight"] = out["patch_embed.proj.weight"].flatten(1)
    return out


def open_clip(tensors):
    """A timm model inside OpenCLIP, its head outside of it."""
    head = tensors.pop("head.weight")
    assert not tensors.pop("head.bias").any()
    return {**{f"visual.trunk.{k}": v for k, v in tensors.items()}, "visual.head.proj.weight": head, "logit_scale": torch.zeros(1)}


# folder, entry of the registry, arguments over TINY, how to rename
CHECKPOINTS = [
    ("clip", "vit_base_patch32_clip_224", {"pre_norm": True}, clip),
    ("aimv2", "aimv2_large_patch14_224", {"mlp_ratio": 2}, aimv2),
    ("dinov2", "vit_giant_patch14_reg4_dinov2", {"reg_tokens": 2, "mlp_ratio": 2}, dinov2),
    ("deit3", "deit3_small_patch16_224", {"init_values": 0.1}, deit3),
    ("open-clip", "vit_tiny_patch16_224", {"global_pool": "avg"}, open_clip),
    ("tipsv2", "vit_base_patch14_reg1_tipsv2", {"init_values": 0.1}, tipsv2),
    ("beit3", "beit3_base_patch16_224", {"mlp_ratio": 2}, beit3),
]


def make_checkpoint(name, entry, arguments, rename, seed):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "goldens").mkdir(parents=True)
    arguments = {**TINY, **arguments}
    original = timm.create_model(entry, **arguments).eval()
    randomise(original, seed)
    if rename in (clip, open_clip):
        torch.nn.init.zeros_(original.head.bias)
    tensors = {k: v.contiguous() for k, v in rename(dict(original.state_dict())).items()}
    model = timm.create_model(entry, **arguments).eval()
    model.load_state_dict(checkpoint_filter_fn(dict(tensors), model, adapt_layer_scale=True), strict=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = {"architecture": entry, "num_classes": arguments["num_classes"], "model_args": arguments,
              "pretrained_cfg": {"input_size": [3, *arguments["img_size"]]}}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    size = arguments["img_size"]
    save_file(golden(model, size, 2, 100 * seed), folder / "goldens" / f"{size[0]}x{size[1]}.safetensors",
              {"torch": torch.__version__.split("+")[0], "timm": timm.__version__})


if __name__ == "__main__":
    torch.set_num_threads(1)
    for index, checkpoint in enumerate(CHECKPOINTS):
        if not sys.argv[1:] or checkpoint[0] in sys.argv[1:]:
            make_checkpoint(*checkpoint, seed=70 + index)
