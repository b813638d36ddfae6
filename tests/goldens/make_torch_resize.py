#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of tests/image/torch_test.cc: CRC-32 of torch's resize of 8-bit noise, as transformers' tensor processors call it.

    pip install torch==2.13.0 numpy
    python tests/goldens/make_torch_resize.py     # on a CPU with AVX2: without it torch takes another path for bilinear
"""
import zlib

import numpy as np
import torch
import torch.nn.functional as F

CASES = [  # height, width -> height, width
    (7, 11, 4, 5), (7, 11, 9, 16), (213, 320, 224, 224), (213, 320, 50, 75), (320, 213, 224, 224), (61, 47, 61, 20), (61, 47, 20, 47),
    (3, 200, 12, 9), (1, 9, 5, 4), (40, 1, 17, 3), (97, 113, 32, 32), (500, 10, 33, 33),
]


def noise(count, seed):
    out = np.empty(count, np.uint8)
    for i in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = seed >> 24
    return out


def main():
    torch.set_num_threads(1)
    for h, w, new_h, new_w in CASES:
        image = torch.from_numpy(noise(h * w * 3, h * 1000 + w).reshape(h, w, 3)).permute(2, 0, 1)[None].contiguous()
        for mode in ("bilinear", "bicubic", "nearest"):
            options = {} if mode == "nearest" else {"align_corners": False, "antialias": True}
            rgb = F.interpolate(image, size=(new_h, new_w), mode=mode, **options)[0].permute(1, 2, 0).contiguous().numpy()
            print(f"      {{{{{h}, {w}}}, {{{new_h}, {new_w}}}, Filter::k{mode.capitalize()}, 0x{zlib.crc32(rgb.tobytes()):08x}}},")


if __name__ == "__main__":
    main()
