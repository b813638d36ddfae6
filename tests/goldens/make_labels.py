#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes assets/labels/imagenet.txt from timm's lists (timm/data/_info).

    pip install timm==1.0.31
    python tests/goldens/make_labels.py

Prints each list's length and the FNV-1a hash of its names, every name ended by a newline: what tests/arch/labels_test.cc compares.
"""
import csv
import pathlib

import timm.data

INFO = pathlib.Path(timm.data.__file__).parent / "_info"
TARGET = pathlib.Path(__file__).resolve().parent.parent.parent / "assets" / "labels" / "imagenet.txt"

# In the order of the bits of a line's first character.
LISTS = ["imagenet_synsets.txt", "imagenet12k_synsets.txt", "imagenet22k_synsets.txt", "imagenet21k_goog_synsets.txt",
         "imagenet21k_miil_synsets.txt"]


def lines(name):
    return (INFO / name).read_text(encoding="utf-8").splitlines()


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main():
    names = dict(csv.reader(lines("imagenet_synset_to_lemma.txt"), delimiter="\t"))
    lists = [lines(name) for name in LISTS]
    assert all(synsets == sorted(set(synsets)) for synsets in lists)  # so that one order serves them all
    members = [set(synsets) for synsets in lists]
    everything = sorted(set().union(*members))
    with open(TARGET, "w", encoding="utf-8", newline="\n") as out:
        for synset in everything:
            bits = sum(1 << i for i, member in enumerate(members) if synset in member)
            out.write(chr(0x40 + bits) + names[synset] + "\n")
    for synsets in lists + [lines("imagenet22k_ms_synsets.txt")]:
        print(len(synsets), hex(fnv("".join(names[s] + "\n" for s in synsets))))


if __name__ == "__main__":
    main()
