#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times our resize against Pillow's on one thread, in turn, once their bytes are equal, and prints a Markdown table.

    resize.py [--library build/release/lib/libvitesse.so] [--python PYTHON]... [--rounds 40]

Each PYTHON has a Pillow of its own (or Pillow-SIMD); the first one's bytes decide the order of passes that we are asked for.
"""
import argparse
import ctypes
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILTERS = {"bilinear": 2, "bicubic": 3}
CASES = [  # width, height, shortest edge
    (4000, 3000, 256),
    (500, 375, 256),
    (1280, 853, 248),
]


def picture(width, height):
    return random.Random(width).randbytes(width * height * 3)


def resized(width, height, shortest):
    """transformers' and torchvision's shortest edge, for landscapes."""
    return shortest * width // height, shortest


# ---- Pillow, in a process of its own ----


def work():
    import PIL
    from PIL import Image

    print(PIL.__version__, flush=True)
    for line in sys.stdin:
        width, height, shortest, filter_name, runs = line.split()
        size = int(width), int(height)
        image = Image.frombytes("RGB", size, picture(*size))
        target = resized(*size, int(shortest))
        crc = zlib.crc32(image.resize(target, FILTERS[filter_name]).tobytes())
        print(crc, flush=True)
        for _ in iter(sys.stdin.readline, "end\n"):
            best = 1e9
            for _ in range(int(runs)):
                start = time.perf_counter()
                image.resize(target, FILTERS[filter_name])
                best = min(best, time.perf_counter() - start)
            print(1e3 * best, flush=True)


class Pillow:
    def __init__(self, python):
        self.process = subprocess.Popen(
            [python, __file__, "--worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = "Pillow " + self.process.stdout.readline().strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def open(self, case, filter_name, runs):
        return int(self.ask(" ".join(map(str, [*case, filter_name, runs]))))

    def run(self):
        return float(self.ask("run"))

    def close(self):
        self.process.stdin.write("end\n")
        self.process.stdin.flush()


# ---- ours, through vit.h ----


class Options(ctypes.Structure):
    """vit_session_options, of which the fields up to pillow_order are all that is needed."""

    _fields_ = [("struct_size", ctypes.c_size_t), ("threads", ctypes.c_int), ("backend", ctypes.c_int),
                ("isa", ctypes.c_char_p), ("height", ctypes.c_size_t), ("width", ctypes.c_size_t), ("exif", ctypes.c_int),
                ("pillow_order", ctypes.c_int)]


class Image(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("kind", ctypes.c_int), ("path", ctypes.c_char_p),
                ("data", ctypes.c_char_p), ("data_bytes", ctypes.c_size_t), ("width", ctypes.c_size_t),
                ("height", ctypes.c_size_t), ("stride_bytes", ctypes.c_size_t), ("format", ctypes.c_int)]


class Ours:
    """A session whose preprocessing is one resize; its stages tell the time of that without the copy of a caller's pixels."""

    PIXELS, STAGES = 2, None

    def __init__(self, path, isa):
        self.library = ctypes.CDLL(path)
        self.library.vit_last_error.restype = ctypes.c_char_p
        self.isa = isa.encode() if isa else None
        header = os.path.join(ROOT, "runtime", "api", "vit.h")
        with open(header) as file:
            words = file.read().split("VIT_DESCRIBE_STAGES = ")[1]
        Ours.STAGES = int(words[: len(words) - len(words.lstrip("0123456789"))])

    def call(self, name, *arguments):
        if getattr(self.library, name)(*arguments):
            sys.exit(f"{name}: {self.library.vit_last_error().decode()}")

    def open(self, case, filter_name, runs, order):
        width, height, shortest = case
        self.runs, self.bytes = runs, picture(width, height)
        self.image = Image(ctypes.sizeof(Image), self.PIXELS, None, self.bytes, 0, width, height, 0, 0)
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        with tempfile.TemporaryDirectory() as folder:
            demonstration = os.path.join(ROOT, "assets", "models", "vit-cifar10")
            for name in ("config.json", "model.safetensors"):
                shutil.copy(os.path.join(demonstration, name), folder)
            recipe = {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": shortest},
                      "do_center_crop": False, "resample": FILTERS[filter_name]}
            with open(os.path.join(folder, "preprocessor_config.json"), "w") as file:
                json.dump(recipe, file)
            self.call("vit_model_open", folder.encode(), None, ctypes.byref(self.model))
        options = Options(ctypes.sizeof(Options), 1, 0, self.isa, 0, 0, 0, order)
        self.call("vit_session_create", self.model, ctypes.byref(options), ctypes.byref(self.session))
        target = resized(*case)
        out = ctypes.create_string_buffer(target[0] * target[1] * 3)
        size = ctypes.c_size_t(), ctypes.c_size_t()
        self.call("vit_preprocess", self.session, ctypes.byref(self.image), out, ctypes.c_size_t(len(out)), ctypes.byref(size[0]),
                  ctypes.byref(size[1]))
        return zlib.crc32(out.raw[: target[0] * target[1] * 3])

    def stages(self):
        text, needed = ctypes.create_string_buffer(4096), ctypes.c_size_t()
        self.call("vit_describe", self.session, self.STAGES, text, ctypes.c_size_t(len(text)), ctypes.byref(needed))
        return json.loads(text.value)

    def run(self):
        best, size = 1e9, (ctypes.c_size_t(), ctypes.c_size_t())
        for _ in range(self.runs):
            before = self.stages()["preprocess_microseconds"]
            self.call("vit_preprocess", self.session, ctypes.byref(self.image), None, ctypes.c_size_t(0), ctypes.byref(size[0]),
                      ctypes.byref(size[1]))
            best = min(best, self.stages()["preprocess_microseconds"] - before)
        return best * 1e-3

    def close(self):
        self.library.vit_session_free(self.session)
        self.library.vit_model_free(self.model)


def summary(times):
    return f"**{min(times):.2f}** / {statistics.median(times):.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=os.path.join(ROOT, "build", "release", "lib", "libvitesse.so"))
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3, help="of a round, of which the fastest counts")
    parser.add_argument("--isa", default="", help="for ours [the best of this CPU]")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work()
    peers = [Pillow(python) for python in arguments.python or [sys.executable]]
    order = 13 if int(peers[0].name.split()[1].split(".")[0]) >= 13 else 12
    ours = Ours(arguments.library, arguments.isa)
    print("| resize, ms | filter | Vitesse |" + "".join(f" {p.name} | / Vitesse |" for p in peers))
    print("|---|---|---|" + "---|---|" * len(peers))
    for case in CASES:
        for filter_name in FILTERS:
            crcs = [p.open(case, filter_name, arguments.runs) for p in peers]
            if ours.open(case, filter_name, arguments.runs, order) != crcs[0]:
                sys.exit(f"{case}, {filter_name}: our bytes are not those of {peers[0].name}")
            times = [[] for _ in range(len(peers) + 1)]
            for _ in range(arguments.rounds):
                for engine, found in zip([ours, *peers], times):
                    found.append(engine.run())
            row = f"| {case[0]} x {case[1]} to {'%d x %d' % resized(*case)} | {filter_name} | {summary(times[0])} |"
            for crc, found in zip(crcs, times[1:]):
                bits = "" if crc == crcs[0] else ", other bytes"
                row += f" {summary(found)}{bits} | {min(found) / min(times[0]):.1f} |"
            print(row, flush=True)
            for engine in [ours, *peers]:
                engine.close()


if __name__ == "__main__":
    main()
