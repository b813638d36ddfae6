#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""read_vit.py FILE.vit [LAYER]: what a .vit file has, or the first weights of a layer. docs/vit-format.md explains it."""
import json
import struct
import sys
import zlib


def read(path):
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    texts = header.pop("__metadata__")
    assert texts["vit.version"] == "1", "another version of the format"
    assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"), "the file is damaged"
    body = memoryview(data)[8 + length :]
    return texts, {name: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])]) for name, t in header.items()}


def weight(texts, tensors, layer, out, k):
    """Weight of output channel `out` and input channel `k`: panels of columns, steps of four bytes."""
    about = json.loads(texts["vit.layers"])[layer]
    dtype, (panels, steps, panel, *_), packed = tensors[f"vit:{layer}:weight"]
    size = {"F32": 4, "BF16": 2, "I8": 1}[dtype]
    at = (((out // panel) * steps + k * size // 4) * panel + out % panel) * 4 + k * size % 4
    raw = bytes(packed[at : at + size])
    if dtype == "F32":
        return struct.unpack("<f", raw)[0]
    if dtype == "BF16":
        return struct.unpack("<f", b"\0\0" + raw)[0]
    value = struct.unpack("b", raw)[0] * struct.unpack_from("<f", tensors[f"vit:{layer}:scale"][2], 4 * out)[0]
    return value / struct.unpack_from("<f", tensors[f"vit:{layer}:column_factor"][2], 4 * k)[0] if "norm" in about else value


if __name__ == "__main__":
    texts, tensors = read(sys.argv[1])
    if len(sys.argv) > 2:
        print(*(weight(texts, tensors, sys.argv[2], 0, k) for k in range(4)))
    else:
        for name, layer in json.loads(texts["vit.layers"]).items():
            print(name, layer["precision"], f"[{layer['out']}, {layer['in']}]", layer.get("kept", ""))
        print(texts["vit.scheme"], "with", len(tensors), "tensors")
