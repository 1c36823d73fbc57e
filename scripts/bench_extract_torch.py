#!/usr/bin/env python3
"""Times features of a vision transformer at 224 px in graft against PyTorch, Python's onnxruntime and OpenVINO, in turns.

    python scripts/bench_extract_torch.py [--threads 1,2 --batches 4 --rounds 5 --images 16 --arch vit_b_16]

Needs numpy, torch, torchvision, onnx, onnxruntime, openvino (2.15, 0.29, 1.23, 1.32 and 2026.4 were measured) and Go.
All have the same seeded random weights of torchvision's network and begin at 48×48 gray uint8 faces of random pixels:
resizing to 224, normalising and the network are in the time of each. What comes out is the class token after the last
norm, in float32.

    torch        torchvision's modules, eval, inference mode
    onnxruntime  the file that torch.onnx makes of them (its TorchScript-based exporter, opset 17), default session options
    openvino     the same file, compiled for throughput with as many streams as threads, a batch in each at once
    session      graft's file in graft's session
    graft        `graft extract`: from a FER2013 file through that session to a store on disk

On T threads torch and onnxruntime run one batch on T threads, as their users do; OpenVINO and graft run T batches at once,
each on one thread. graft's process gets as many cores as the others get threads (GOMAXPROCS). The time of starting and
loading does not count.

Before anything is timed, the features of all must be PyTorch's to a relative error ‖a−b‖/‖b‖ of 1e-5, graft's as
`graft extract` stores them. A ratio is graft's rate over the other's in the same round; where several batches are named,
everyone is given the one at which it is fastest.
"""
import json

import bench_common as common

NEEDS = "numpy", "torch", "torchvision", "onnx", "onnxruntime", "openvino"
common.need(*NEEDS)

import time

import numpy as np
import onnxruntime
import openvino
import torch
import torchvision

from export_torchvision import Backbone, export

SIDE, LIMIT = 48, 1e-5
OTHERS = "torch", "onnxruntime", "openvino"


class Features(Backbone):
    """The class token alone, so that nobody computes more than is asked for."""

    def forward(self, pixels):
        return super().forward(pixels)[0]


def network(arch):
    """A seeded random network whose biases and norms are not at their start."""
    torch.manual_seed(1)
    vit = getattr(torchvision.models, arch)().eval()
    with torch.no_grad():
        for p in vit.parameters():
            if p.dim() == 1:
                p.add_(0.02 * torch.randn_like(p))
    return vit


class Others:
    """The programs in this process, on a number of threads."""

    def __init__(self, vit, file, threads, largest):
        torch.set_num_threads(threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads = threads
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self.queue = openvino.AsyncInferQueue(openvino.Core().compile_model(file, "CPU", settings), threads)
        self.queue.set_callback(lambda request, features: features.append(request.get_tensor("cls").data.copy()))
        self.model = Features(vit).eval()
        self.pixels = torch.randint(256, (largest, 1, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))

    def torch(self, batch):
        with torch.inference_mode():
            return [self.model(self.pixels[:batch]).numpy()]

    def onnxruntime(self, batch):
        return self.session.run(["cls"], {"pixels": self.pixels[:batch].numpy()})

    def openvino(self, batch):
        features = []
        for _ in range(self.threads):
            self.queue.start_async({"pixels": self.pixels[:batch].numpy()}, features)
        self.queue.wait_all()
        return features

    def rate(self, name, batch, images):
        """Images a second of at least so many; what runs before the clock starts warms up after another's turn."""
        features = getattr(self, name)
        features(batch)
        done, start = 0, time.perf_counter()
        while done < images:
            done += batch * len(features(batch))
        return {name: done / (time.perf_counter() - start)}


def graft(binary, model, batch, images, threads):
    """Images a second of the bare session and of the extraction."""
    out = common.run([binary, "bench", "--cases", "extract", "--model", model, "--provider", "cpu", "--threads", threads,
                      "--batch", batch, "--images", images, "--rounds", 1, "--json", "-"], threads)
    rate = {case["name"]: case["items_per_second"] for case in json.loads(out)["cases"]}
    return {"session": rate["extract/bare-session"], "graft": rate["extract/pipeline"]}


def check(binary, model, others, folder):
    """Compares what graft extract stores, and the others compute, with PyTorch's."""
    n = len(others.pixels)
    rows = others.pixels.reshape(n, -1).tolist()
    csv = folder / "faces.csv"
    csv.write_text("emotion,pixels,Usage\n" + "".join(f"0,{' '.join(map(str, row))},Training\n" for row in rows))
    common.run([binary, "extract", "--data", csv, "--model", model, "--out", folder / "store", "--provider", "cpu"])
    want, = others.torch(n)
    for name, features in (("graft", [np.load(folder / "store" / "cls" / "00000.npy")]), ("onnxruntime", others.onnxruntime(n)), ("openvino", others.openvino(n))):
        for got in features:
            common.agree(f"relative error of {name}'s features against torch's", float(np.linalg.norm(got - want) / np.linalg.norm(want)), 0, LIMIT)


def measure(binary, model, others, batches, args):
    """Rates of each round by name, everyone at its own best batch, which is told."""
    tables = {}
    for batch in batches:
        images = -(-args.images // batch) * batch
        turns = [lambda name=name: others.rate(name, batch, images) for name in OTHERS]
        tables[batch] = common.alternate(args.rounds, *turns, lambda: graft(binary, model, batch, images, others.threads))
    best = {name: max(batches, key=lambda batch: common.median(tables[batch], name)) for name in (*OTHERS, "session", "graft")}
    for name, batch in best.items():
        print(f"threads {others.threads}, batch {batch}: {name} {common.median(tables[batch], name):.2f} images/s")
    return [{name: tables[batch][r][name] for name, batch in best.items()} for r in range(args.rounds)]


def rows(args, threads, tables):
    """A row for each of the others, all numbers of threads in it."""
    ours = common.listed(f"{common.median(t, 'graft'):.2f}" for t in tables)
    what = (f"`graft extract`, {common.title(args.arch)}, `cls`, batches of {args.batches.replace(',', ' or ')}, from 48×48 bytes to a store, "
            f"{common.on(threads)} ({ours} images/s)")
    described = {"torch": f"{common.versions('torch')} eager", "onnxruntime": f"Python's {common.versions('onnxruntime')} on torchvision's export",
                 "openvino": f"{common.versions('openvino')} on the same file, one stream a thread"}
    return [common.row(what, f"{against} ({common.listed(f'{common.median(t, name):.2f}' for t in tables)} images/s): `scripts/bench_extract_torch.py`",
                       f"{common.listed(common.ratio(t, name) for t in tables)} times as fast") for name, against in described.items()]


def main():
    args = common.arguments(__doc__, threads="1,2", batches="4", images=16, arch="vit_b_16").parse_args()
    threads, batches = common.numbers(args.threads), common.numbers(args.batches)
    with common.workplace() as folder:
        binary, model, file = common.build(folder), folder / "graft.onnx", str(folder / "torchvision.onnx")
        vit = network(args.arch)
        torch.save(vit.state_dict(), folder / "vit.pth")
        common.run([binary, "model", "export", "--weights", folder / "vit.pth", "--out", model])
        export(Features(vit), torch.zeros((2, 1, SIDE, SIDE), dtype=torch.uint8), file, ["cls"], 17)
        check(binary, model, Others(vit, file, 2, 4), folder)
        tables = [measure(binary, model, Others(vit, file, t, max(batches)), batches, args) for t in threads]
    common.write(args.json, rows(args, threads, tables))


if __name__ == "__main__":
    main()
