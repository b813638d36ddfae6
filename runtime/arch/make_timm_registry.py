#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes timm_registry.inc from a description of timm's registered Vision Transformers.

    python runtime/arch/make_timm_registry.py timm_vit_registry.json > runtime/arch/timm_registry.inc

The description has for each entry its class, the arguments that its function passes to the class, and the preprocessing of each set of
weights (a tag); it was taken from timm 1.0.29.dev0 (commit aa4b5850) by calling every entry with a stubbed constructor. What is kept:
arguments and preprocessing of VisionTransformer and VisionTransformerDistilled; of other classes the names alone.
"""
import json
import sys

CLASSES = ("VisionTransformer", "VisionTransformerDistilled")
CFG_KEYS = ("num_classes", "input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        registry = json.load(file)
    configurations = {}

    def index_of(tag):
        text = compact({key: tag[key] for key in CFG_KEYS if tag.get(key) is not None})
        return configurations.setdefault(text, len(configurations))

    models = []
    for name, entry in sorted(registry["models"].items()):
        if entry["class"] not in CLASSES:
            models.append(f'VIT_TIMM_MODEL("{name}", "{entry["class"]}", "", "")')
            continue
        if entry["file"] == "vision_transformer_hybrid.py":
            models.append(f'VIT_TIMM_MODEL("{name}", "hybrid", "", "")')
            continue
        tags = entry["pretrained"]
        order = sorted(tags, key=lambda tag: tag != entry["default_tag"])
        listed = " ".join(f"{tag}={index_of(tags[tag])}" for tag in order)
        models.append(f'VIT_TIMM_MODEL("{name}", "{entry["class"]}", R"({compact(entry["args"])})", "{listed}")')
    print("// Made by make_timm_registry.py. Entries: name, class, arguments, tags with their configurations; the default tag is the first.")
    print("// clang-format off")
    print("#ifdef VIT_TIMM_CONFIGURATION")
    for text in configurations:
        print(f'VIT_TIMM_CONFIGURATION(R"({text})")')
    print("#endif\n#ifdef VIT_TIMM_MODEL")
    print("\n".join(models))
    print("#endif\n#ifdef VIT_TIMM_RENAMED")
    for old, new in sorted(registry["deprecations"].items()):
        print(f'VIT_TIMM_RENAMED("{old}", "{new}")')
    print("#endif")


if __name__ == "__main__":
    main()
