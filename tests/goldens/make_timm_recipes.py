#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of tests/image/timm_test.cc: CRC-32 of noise after the steps of timm 1.0.31's evaluation transform
(data/transforms_factory.py, transforms_imagenet_eval; data/transforms.py), done with Pillow.

    pip install pillow==12.1.1 numpy
    python tests/goldens/make_timm_recipes.py
"""
import math
import zlib

import numpy as np
from PIL import Image, ImageOps

MEAN = (0.485, 0.456, 0.406)
CASES = [  # picture's height, width; input's height, width; crop_pct; mode; interpolation
    (213, 320, 24, 24, 0.9, "center", "bicubic"), (320, 213, 24, 24, 0.875, "center", "bilinear"), (19, 23, 24, 24, 1.0, "center", "lanczos"),
    (97, 113, 20, 33, 0.95, "center", "bicubic"), (113, 40, 33, 20, 0.875, "center", "hamming"), (61, 47, 24, 30, 0.9, "squash", "bicubic"),
    (47, 61, 24, 24, 1.0, "squash", "box"), (213, 320, 24, 24, 0.9, "border", "bicubic"), (90, 31, 20, 33, 1.0, "border", "bilinear"),
    (31, 90, 33, 20, 0.965, "border", "nearest"),
]


def noise(count, seed):
    out = np.empty(count, np.uint8)
    for i in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = seed >> 24
    return out


def center_crop(image, height, width, fill=0):
    w, h = image.size
    if width > w or height > h:
        dx, dy = max(width - w, 0), max(height - h, 0)
        image = ImageOps.expand(image, (dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2), fill)
        w, h = image.size
    top, left = round((h - height) / 2), round((w - width) / 2)
    return image.crop((left, top, left + width, top + height))


def transform(image, height, width, pct, mode, filter_):
    w, h = image.size
    scale_h, scale_w = math.floor(height / pct), math.floor(width / pct)
    if mode == "squash":
        return center_crop(image.resize((scale_w, scale_h), filter_), height, width)
    if mode == "center" and scale_h == scale_w:
        size = (scale_h, int(scale_h * h / w)) if w <= h else (int(scale_h * w / h), scale_h)
        return center_crop(image.resize(size, filter_), height, width)
    ratio = (max if mode == "border" else min)(h / scale_h, w / scale_w)
    resized = image.resize((round(w / ratio), round(h / ratio)), filter_)
    return center_crop(resized, height, width, tuple(round(255 * m) for m in MEAN) if mode == "border" else 0)


def main():
    for h, w, height, width, pct, mode, name in CASES:
        image = Image.fromarray(noise(h * w * 3, h * 1000 + w).reshape(h, w, 3))
        out = np.asarray(transform(image, height, width, pct, mode, getattr(Image.Resampling, name.upper())))
        assert out.shape == (height, width, 3)
        print(f'      {{{{{h}, {w}}}, {{{height}, {width}}}, {pct}, "{mode}", "{name}", 0x{zlib.crc32(out.tobytes()):08x}}},')


if __name__ == "__main__":
    main()
