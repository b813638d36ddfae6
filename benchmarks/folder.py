#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images a second of a folder: vit-infer against a loop of Pillow and ONNX Runtime, one process for each CPU, in turn.

    folder.py MODEL IMAGES [--onnx int8.onnx] [--precision int8] [--rounds 5] [--dct-scale] [--infer build/release/bin/vit-infer]

MODEL is a folder with what vit-infer reads and an ONNX file of the same weights (input [b, 3, H, W], output logits). The loop does what
`vit-infer explain` says: shortest edge or exact resize, centre crop, mean and standard deviation. Both are whole processes; `after start`
leaves out what the first image takes: for vit-infer the time of a run over one image, for the loop the time until its sessions are made.
`busy` is the CPU time of vit-infer after start as a share of that time on all CPUs.
"""
import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def image_files(folder):
    endings = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name.lower().endswith(endings))


# ---- the loop ----


def prepare(path, recipe, draft):
    import numpy
    from PIL import Image, ImageOps

    image = Image.open(path)
    size = recipe["resize"]["value"]
    if draft:
        image.draft("RGB", (max(size.values()),) * 2)
    if recipe["orientation"]["value"] == "apply EXIF":
        image = ImageOps.exif_transpose(image)
    image = image.convert("RGB")
    if "shortest_edge" in size:
        short, (width, height) = size["shortest_edge"], image.size
        to = (short, short * height // width) if width <= height else (short * width // height, short)
    else:
        to = size["width"], size["height"]
    image = image.resize(to, FILTERS[recipe["filter"]["value"]])
    if crop := recipe["crop"]["value"]:
        left, top = round((to[0] - crop["width"]) / 2), round((to[1] - crop["height"]) / 2)
        image = image.crop((left, top, left + crop["width"], top + crop["height"]))
    x = numpy.asarray(image, numpy.float32) * recipe["rescale"]["value"]
    x = (x - numpy.float32(recipe["mean"]["value"])) / numpy.float32(recipe["std"]["value"])
    return numpy.ascontiguousarray(x.transpose(2, 0, 1)[None])


def loop(model, recipe, files, draft, ready, go, answers):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    prepare(files[0], recipe, draft)
    ready.release()
    go.wait()
    answers.put([(path, session.run(None, {name: prepare(path, recipe, draft)})[0][0]) for path in files])


def time_loop(arguments, recipe, files, processes):
    start = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    ready, go, answers = context.Semaphore(0), context.Event(), context.Queue()
    workers = [context.Process(target=loop, args=(arguments.onnx, recipe, files[i::processes], arguments.dct_scale, ready, go, answers))
               for i in range(processes)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    begin = time.perf_counter()
    go.set()
    logits = dict(answer for _ in workers for answer in answers.get())
    end = time.perf_counter()
    for worker in workers:
        worker.join()
    return end - start, end - begin, [logits[path] for path in files]


# ---- ours ----


def time_ours(arguments, files):
    import numpy

    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "logits.npy")

        def run(some):
            command = [arguments.infer, "-m", arguments.model, "--precision", arguments.precision, "--format", "npy", "-o", out, "-q"]
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command + ["--dct-scale"] * arguments.dct_scale + some, check=True)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        whole, whole_cpu = run(files)
        logits = numpy.load(out)
        first, first_cpu = run(files[:1])
        busy = (whole_cpu - first_cpu) / (whole - first) / len(os.sched_getaffinity(0))
        return whole, (whole - first) * len(files) / (len(files) - 1), busy, logits


def cosine(a, b):
    import numpy

    return float(numpy.dot(a, b) / numpy.linalg.norm(a) / numpy.linalg.norm(b))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("images")
    parser.add_argument("--onnx", default="")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dct-scale", action="store_true", help="both decode JPEGs at a fraction: --dct-scale, Image.draft()")
    parser.add_argument("--infer", default=os.path.join(ROOT, "build", "release", "bin", "vit-infer"))
    arguments = parser.parse_args()
    arguments.onnx = arguments.onnx or os.path.join(arguments.model, "int8.onnx")
    files, processes = image_files(arguments.images), len(os.sched_getaffinity(0))
    if len(files) < 2:
        sys.exit(f"{arguments.images}: expected at least two images")
    explain = [arguments.infer, "explain", "-m", arguments.model, "--format", "json"]
    recipe = json.loads(subprocess.run(explain, check=True, capture_output=True, text=True).stdout)

    ours, theirs, busy = [], [], []
    for _ in range(arguments.rounds):
        *times, share, our_logits = time_ours(arguments, files)
        busy.append(share)
        ours.append(times)
        *times, their_logits = time_loop(arguments, recipe, files, processes)
        theirs.append(times)
    near = [cosine(a, b) for a, b in zip(our_logits, their_logits)]
    same = sum(int(a.argmax() == b.argmax()) for a, b in zip(our_logits, their_logits))
    if statistics.mean(near) < 0.95:
        sys.exit(f"the logits are not those of the same model: mean cosine {statistics.mean(near):.3f}")

    print("| images/s, best / median | whole process | after start |")
    print("|---|---|---|")
    for name, times in (("Vitesse", ours), (f"Pillow + ONNX Runtime, {processes} processes", theirs)):
        cells = [f"**{len(files) / min(column):.1f}** / {len(files) / statistics.median(column):.1f}" for column in zip(*times)]
        print(f"| {name} | {' | '.join(cells)} |")
    ratios = [f"{min(b) / min(a):.2f}" for a, b in zip(zip(*ours), zip(*theirs))]
    print(f"| ratio of the best | {' | '.join(ratios)} |")
    print(f"\n{len(files)} images; mean cosine of the logits {statistics.mean(near):.5f}, the same first label for {same}; "
          f"busy {100 * statistics.median(busy):.0f} %.")


if __name__ == "__main__":
    main()
