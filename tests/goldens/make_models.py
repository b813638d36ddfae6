#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/fixtures/models: tiny seeded models as transformers saves them, and what transformers computes from them in float32.

    pip install torch==2.13.0 transformers==5.23.0 safetensors numpy
    python tests/goldens/make_models.py [MODEL...]

Beside each model lies goldens/HEIGHTxWIDTH.safetensors: the input, the tokens before the first block, every block's output, the
features after the final norm, the embedding (pooler_output, or the class token after the final norm) and the logits.
tests/fixtures/positions.safetensors holds position tables resampled by torch.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (DeiTConfig, DeiTForImageClassification, DeiTForImageClassificationWithTeacher, DeiTModel, Dinov2Config, Dinov2ForImageClassification, Dinov2Model, Dinov2WithRegistersConfig,
                          Dinov2WithRegistersForImageClassification, Dinov2WithRegistersModel, ViTConfig, ViTForImageClassification,
                          IJepaConfig, IJepaForImageClassification, IJepaModel, ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel, ViTModel, ViTMSNConfig, ViTMSNForImageClassification, ViTMSNModel)

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"


def labels(count):
    return {i: f"class {i}" for i in range(count)}


# name, class, configuration, type of the saved weights, save options, sizes to run at. Sizes are awkward on purpose: heads of 24,
# an MLP that is no multiple of 16, grids that are no squares, images with a remainder.
MODELS = [
    ("vit-classifier", ViTForImageClassification,
     ViTConfig(hidden_size=72, num_hidden_layers=3, num_attention_heads=3, intermediate_size=100, hidden_act="gelu_new",
               image_size=40, patch_size=8, id2label=labels(5)),
     torch.float32, {}, [(40, 40), (64, 64), (49, 35)]),
    ("vit-rectangle", ViTForImageClassification,
     ViTConfig(hidden_size=40, num_hidden_layers=2, num_attention_heads=5, intermediate_size=52, hidden_act="quick_gelu",
               image_size=[24, 54], patch_size=[8, 6], qkv_bias=False, layer_norm_eps=1e-5, id2label=labels(3)),
     torch.float16, {}, [(24, 54)]),
    ("vit-pooler", ViTModel,
     ViTConfig(hidden_size=56, num_hidden_layers=2, num_attention_heads=2, intermediate_size=70, hidden_act="relu",
               image_size=36, patch_size=12, pooler_output_size=20, qkv_bias=False),
     torch.bfloat16, {"max_shard_size": "40KB"}, [(36, 36), (60, 60), (24, 50)]),
    ("dinov2-classifier", Dinov2ForImageClassification,
     Dinov2Config(hidden_size=48, num_hidden_layers=3, num_attention_heads=2, mlp_ratio=3, image_size=70, patch_size=14,
                  id2label=labels(7)),
     torch.float32, {}, [(42, 42), (70, 70), (56, 30)]),
    ("dinov2-swiglu", Dinov2Model,
     Dinov2Config(hidden_size=36, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=4, image_size=42, patch_size=7,
                  use_swiglu_ffn=True, use_mask_token=False, hidden_act="silu"),
     torch.bfloat16, {}, [(42, 42), (35, 35), (21, 63)]),
    # Two rows of eight patches: 16 positions, which transformers sees as a square of four whenever it resamples, even here.
    ("dinov2-registers", Dinov2WithRegistersForImageClassification,
     Dinov2WithRegistersConfig(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, mlp_ratio=2, image_size=[16, 64],
                               patch_size=8, num_register_tokens=3, hidden_act="gelu_pytorch_tanh", id2label=labels(4)),
     torch.float16, {}, [(16, 64), (32, 32), (48, 27), (24, 24)]),
    ("deit-teacher", DeiTForImageClassificationWithTeacher,
     DeiTConfig(hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=90, image_size=40, patch_size=10,
                id2label=labels(6)),
     torch.float16, {}, [(40, 40), (60, 60), (50, 35)]),
    ("deit-classifier", DeiTForImageClassification,
     DeiTConfig(hidden_size=40, num_hidden_layers=2, num_attention_heads=4, intermediate_size=68, hidden_act="gelu_new",
                image_size=[24, 32], patch_size=8, num_channels=1, id2label=labels(3)),
     torch.float16, {}, [(24, 32)]),
    ("deit-pooler", DeiTModel,
     DeiTConfig(hidden_size=36, num_hidden_layers=2, num_attention_heads=2, intermediate_size=50, image_size=28, patch_size=7,
                pooler_output_size=24, pooler_act="relu"),
     torch.bfloat16, {}, [(28, 28), (42, 21)]),
    ("vit-msn", ViTMSNForImageClassification,
     ViTMSNConfig(hidden_size=44, num_hidden_layers=2, num_attention_heads=4, intermediate_size=72, image_size=32, patch_size=8,
                  id2label=labels(4)),
     torch.float16, {}, [(32, 32), (24, 48)]),
    ("vit-mae", ViTMAEForPreTraining,
     ViTMAEConfig(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=80, image_size=36, patch_size=12,
                  decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=24),
     torch.float16, {}, [(36, 36), (48, 24)]),
    ("dinov2-registers-swiglu", Dinov2WithRegistersModel,
     Dinov2WithRegistersConfig(hidden_size=40, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=4, image_size=42, patch_size=14,
                               num_register_tokens=2, use_swiglu_ffn=True),
     torch.float16, {}, [(42, 42), (70, 56)]),
    ("ijepa-classifier", IJepaForImageClassification,
     IJepaConfig(hidden_size=40, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56, image_size=30, patch_size=10,
                 id2label=labels(5)),
     torch.float16, {}, [(30, 30), (50, 20)]),
    ("ijepa", IJepaModel,
     IJepaConfig(hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=44, image_size=[16, 24], patch_size=8,
                 layer_norm_eps=1e-6, hidden_act="gelu_new", qkv_bias=False),
     torch.bfloat16, {}, [(16, 24)]),
]


@torch.no_grad()
def randomise(model, seed):
    """Weights that make every part matter: attention far from uniform, norms and scales far from the identity."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, std):
        return torch.randn(shape, generator=generator) * std

    for name, p in sorted(model.named_parameters()):
        if name.endswith("lambda1"):
            p.copy_(0.5 + normal(p.shape, 0.3))
        elif "norm" in name:
            p.copy_((1.0 if name.endswith("weight") else 0.0) + normal(p.shape, 0.2))
        elif ("embeddings." in name or "decoder_pos_embed" in name) and "projection" not in name:
            p.copy_(normal(p.shape, 0.7))
        elif name.endswith("bias"):
            p.copy_(normal(p.shape, 0.2))
        else:
            p.copy_(normal(p.shape, 1.3 / p[0].numel() ** 0.5))


@torch.no_grad()
def golden(model, size, batch, seed):
    body = getattr(model, model.base_model_prefix) if hasattr(model, model.base_model_prefix) else model
    layers = body.layers if hasattr(body, "layers") else body.encoder.layer
    images = torch.randn((batch, model.config.num_channels, *size), generator=torch.Generator().manual_seed(seed))
    found = {"input": images}

    def keep(name):
        def hook(_module, _inputs, output):
            found[name] = (output[0] if isinstance(output, tuple) else output).clone()
        return hook

    hooks = [body.embeddings.register_forward_hook(keep("tokens")), body.layernorm.register_forward_hook(keep("features"))]
    hooks += [layer.register_forward_hook(keep(f"blocks.{i}")) for i, layer in enumerate(layers)]
    options = {}
    if model.config.model_type == "vit_mae":  # no patch is masked, none is moved
        model, patches = body, (size[0] // model.config.patch_size) * (size[1] // model.config.patch_size)
        options["noise"] = torch.arange(patches).expand(batch, patches).float()
        model.config.mask_ratio = 0.0
    if not model.config.model_type.startswith("dinov2"):
        native = model.config.image_size
        native = (native, native) if isinstance(native, int) else tuple(native)
        options["interpolate_pos_encoding"] = tuple(size) != native
    result = model(images, **options)
    for hook in hooks:
        hook.remove()
    pooled = getattr(result, "pooler_output", None)
    found["embedding"] = found["features"][:, 0] if pooled is None else pooled
    if model.config.model_type == "ijepa":  # no class token: what its classifier reads
        found["embedding"] = found["features"].mean(dim=1)
    if hasattr(result, "logits"):
        found["logits"] = result.logits
    return {name: value.float().contiguous().clone() for name, value in found.items()}


def make_model(name, model_class, config, dtype, save_options, sizes, seed):
    folder = FIXTURES / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    model = model_class(config).eval()
    randomise(model, seed)
    model.to(dtype).save_pretrained(folder, **save_options)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # What the file holds, in float32.
    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    (folder / "goldens").mkdir()
    for i, size in enumerate(sizes):
        save_file(golden(model, size, 1 if i else 2, 100 * seed + i), folder / "goldens" / f"{size[0]}x{size[1]}.safetensors", versions())


def versions():
    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}


def make_positions():
    """Tables [grid_height, grid_width, 3] and what torch makes of them: FROM-TO-plain and FROM-TO-antialias."""
    cases = [((5, 5), (3, 3)), ((5, 5), (8, 8)), ((4, 7), (9, 2)), ((2, 3), (1, 1)), ((1, 4), (5, 9)), ((14, 14), (24, 10)),
             ((37, 37), (16, 16)), ((7, 7), (6, 7)), ((3, 3), (3, 64))]
    tensors = {}
    generator = torch.Generator().manual_seed(5)
    for old, new in cases:
        table = torch.randn((*old, 3), generator=generator)
        key = f"{old[0]}x{old[1]}-{new[0]}x{new[1]}"
        tensors[key] = table
        for antialias in (False, True):
            resized = torch.nn.functional.interpolate(table.permute(2, 0, 1)[None], size=new, mode="bicubic", align_corners=False,
                                                      antialias=antialias)
            tensors[f"{key}-{'antialias' if antialias else 'plain'}"] = resized[0].permute(1, 2, 0).contiguous()
    save_file(tensors, FIXTURES / "positions.safetensors", versions())


if __name__ == "__main__":
    torch.set_num_threads(1)
    FIXTURES.mkdir(exist_ok=True)
    for index, entry in enumerate(MODELS):
        if not sys.argv[1:] or entry[0] in sys.argv[1:]:
            make_model(*entry, seed=index + 1)
    make_positions()
    print(json.dumps(versions()))
