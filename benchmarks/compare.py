#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares vit-bench with the engines that are installed here, in one interleaved run, and prints a Markdown table.

    compare.py MODEL... [--batch 1] [--threads 2] [--seconds 20] [--bench build/release/bin/vit-bench] [--json FILE]

MODEL is a folder with what each engine reads of the same weights: config.json and model.safetensors for ours, f32.onnx for ONNX
Runtime and OpenVINO, litert_f32_b{BATCH}.tflite for LiteRT. README.md says what is measured and how.
"""
import argparse
import array
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import random
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 3  # timed runs a turn; one before them is dropped


# ---- the other engines, each in a process of its own that speaks vit-bench --worker's protocol ----


def onnxruntime(path, threads, x):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(os.path.join(path, "f32.onnx"), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})[0]


def openvino(path, threads, x):
    import openvino as ov

    model = ov.Core().read_model(os.path.join(path, "f32.onnx"))
    model.reshape(list(x.shape))
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(model, "CPU", hints).create_infer_request()
    request.set_input_tensor(ov.Tensor(x))

    def run():
        request.infer()
        return request.get_output_tensor().data

    return run


def litert(path, threads, x):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=os.path.join(path, f"litert_f32_b{len(x)}.tflite"), num_threads=threads)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run():
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run


PEERS = {  # name: (module, package, function)
    "ONNX Runtime": ("onnxruntime", "onnxruntime", onnxruntime),
    "OpenVINO": ("openvino", "openvino", openvino),
    "LiteRT": ("ai_edge_litert", "ai-edge-litert", litert),
}


def work(peer, path, threads, shape, input_path, output_path):
    import numpy

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    x = numpy.fromfile(input_path, dtype="<f4").reshape(shape)
    run = PEERS[peer][2](path, threads, x)
    for request in sys.stdin:
        times = []
        for _ in range(int(request.split()[1])):
            start = time.perf_counter()
            y = run()
            times.append(f"{1e3 * (time.perf_counter() - start):.4f}")
        numpy.asarray(y, dtype="<f4").tofile(output_path)
        print(*times, file=answers)


# ---- the comparison ----


class Worker:
    """Runs only while it is asked: it is stopped in between, so that no engine's waiting threads disturb another."""

    def __init__(self, name, command, output, environment):
        self.name, self.output, self.times, self.error = name, output, [], ""
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True
        )

    def ask(self, runs):
        try:
            self.process.send_signal(signal.SIGCONT)
            self.process.stdin.write(f"run {runs}\n")
            self.process.stdin.flush()
            times = [float(ms) for ms in self.process.stdout.readline().split()]
            self.process.send_signal(signal.SIGSTOP)
        except (OSError, ValueError):
            times = []
        if len(times) != runs:
            self.log.seek(0)
            lines = self.log.read().decode(errors="replace").strip().splitlines()
            self.error = lines[-1][:100] if lines else "gave no answer"
        return times

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def thread_times(self):
        times = {}
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{thread}/schedstat") as file:
                times[int(thread)] = int(file.read().split()[0])
        return times

    def pin(self, threads):
        """A CPU of its own for each of the threads that work: where other programs run, too, the scheduler may put two on one."""
        before = self.thread_times()
        self.ask(RUNS)
        after = self.thread_times()
        busiest = sorted(after, key=lambda thread: before.get(thread, 0) - after[thread])[:threads]
        for thread, cpu in zip(busiest, sorted(os.sched_getaffinity(0), reverse=True)):
            os.sched_setaffinity(thread, {cpu})

    def logits(self):
        values = array.array("f")
        with open(self.output, "rb") as file:
            values.frombytes(file.read())
        return values

    def end(self):
        self.process.kill()
        self.process.wait()


def cosine(a, b):
    product = lambda u, v: math.fsum(x * y for x, y in zip(u, v))
    return product(a, b) / math.sqrt(product(a, a) * product(b, b)) if len(a) == len(b) else math.nan


def busy_seconds():
    """Of all CPUs together: what was neither idle nor waiting, time that the host took away included."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def compare(path, args, peers):
    with open(os.path.join(path, "config.json")) as file:
        config = json.load(file)
    side = config.get("image_size", 224)
    shape = [args.batch, *config.get("pretrained_cfg", {}).get("input_size", [3, side, side])]
    with tempfile.TemporaryDirectory() as folder:
        input_path = os.path.join(folder, "input")
        numbers = random.Random(0)
        with open(input_path, "wb") as file:
            array.array("f", (numbers.gauss(0, 1) for _ in range(math.prod(shape)))).tofile(file)
        environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
        common = ["--threads", str(args.threads), "--batch", str(args.batch), "--input", input_path, "--output"]

        def start(name, command):
            output = os.path.join(folder, name)
            return Worker(name, [*command, *common, output], output, environment)

        ours = [args.bench, "--worker", "--model", path, "--precision", args.precision]
        workers = [start("Vitesse", ours)]
        for peer in peers:
            workers.append(start(peer, [sys.executable, os.path.abspath(__file__), path, "--worker", peer, "--shape", json.dumps(shape)]))
        for worker in workers:
            worker.ask(1)  # loads; the first run is a slow one
            worker.error or worker.pin(args.threads)
        workers_used = lambda: sum(worker.cpu_seconds() for worker in workers)
        used, ours_used, begin, round_ = busy_seconds(), workers_used(), time.time(), 0
        while round_ < 3 or time.time() - begin < args.seconds:
            for worker in workers[round_ % len(workers) :] + workers[: round_ % len(workers)]:
                if not worker.error:
                    worker.times += worker.ask(RUNS + 1)[1:]
            round_ += 1
        others = (busy_seconds() - used - (workers_used() - ours_used)) / (time.time() - begin)
        for worker in workers:
            worker.end()
        reference = next((w.logits() for w in workers[1:] if not w.error), None)
        rows = []
        for worker in workers:
            row = {"engine": worker.name, "error": worker.error}
            if not worker.error:
                ms = sorted(t / args.batch for t in worker.times)
                quarters = statistics.quantiles(ms, n=4)
                row.update(min=ms[0], median=statistics.median(ms), spread=(quarters[2] - quarters[0]) / statistics.median(ms), runs=len(ms))
                row["cosine"] = cosine(worker.logits(), reference) if reference else None
            rows.append(row)
    return {"model": os.path.basename(os.path.normpath(path)), "shape": shape, "other_cpus": others, "rows": rows}


def cpu_name():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.processor())


def table(results):
    """One row an engine and model; the ratio is of minima, to ours."""
    print("| model | batch | engine | ms an image: min | median | spread | min / ours | cosine | runs |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|")
    for result in results:
        ours = result["rows"][0].get("min")
        for row in result["rows"]:
            head = f"| {result['model']} | {result['shape'][0]} | {row['engine']} |"
            if row["error"]:
                print(f"{head} failed: {row['error'].replace('|', '/')} | | | | | |")
                continue
            ratio = f"{row['min'] / ours:.2f}" if ours else "-"
            agreement = "-" if row["cosine"] is None else f"{row['cosine']:.6f}"
            print(f"{head} {row['min']:.2f} | {row['median']:.2f} | {100 * row['spread']:.0f} % | {ratio} | {agreement} | {row['runs']} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=20, help="of each model [20]")
    parser.add_argument("--precision", default="f32", help="of ours; the peers stay in float32 [f32]")
    parser.add_argument("--bench", default=os.path.join(os.path.dirname(__file__), "../build/release/bin/vit-bench"))
    parser.add_argument("--peers", default=",".join(PEERS), help="which of them, if they are installed [%(default)s]")
    parser.add_argument("--json", metavar="FILE", help="all figures, too")
    for hidden in ("--worker", "--shape", "--input", "--output"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(args.worker, args.models[0], args.threads, json.loads(args.shape), args.input, args.output)
    wanted = [name for name in args.peers.split(",") if name]
    for name in wanted:
        name in PEERS or parser.error(f"--peers: expected {', '.join(PEERS)}, found '{name}'")
    peers = [name for name in wanted if importlib.util.find_spec(PEERS[name][0])]
    ours = subprocess.run([args.bench, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    versions = [ours] + [f"{name} {importlib.metadata.version(PEERS[name][1])}" for name in peers]
    versions += [f"{name}: not installed" for name in wanted if name not in peers]

    results = [compare(path, args, peers) for path in args.models]
    others = max(result["other_cpus"] for result in results)
    print(f"{cpu_name()}, {os.cpu_count()} CPUs, {args.threads} threads; {'; '.join(versions)}.")
    print(f"`{shlex.join(sys.argv)}`; other work kept {max(0, others):.1f} CPUs busy meanwhile.\n")
    table(results)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"cpu": cpu_name(), "threads": args.threads, "versions": versions, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
