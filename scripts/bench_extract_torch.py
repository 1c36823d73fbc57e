#!/usr/bin/env python3
"""Times features of a ViT-B/16 at 224 px in graft against PyTorch and Python's onnxruntime, in turns, in one run.

    python scripts/bench_extract_torch.py [--threads 1,2 --batches 1,2,8 --rounds 5 --images 16]

Needs torch and torchvision (1.13 and 0.14 were measured), threadpoolctl, onnx, onnxruntime, and Go. All three have the same seeded
random weights of torchvision's vit_b_16 and begin at 48×48 gray uint8 faces of random pixels: resizing to 224,
normalising and the network are in the time of each. What comes out is the class token after the last norm.

    torch        torchvision's modules, eval, inference mode
    onnxruntime  the file that torch.onnx makes of them (opset 17), default session options
    session      graft's file in graft's session
    graft        `graft extract`: from a FER2013 file through that session to a store on disk

On T threads the peers run one batch on T threads, as their users do; graft runs T batches at once, each on one thread.

Who goes first changes with every round. The time of starting and loading does not count. graft's process gets as many
cores as the others get threads (GOMAXPROCS). A ratio is graft's rate over the other's in the same round; the last
lines compare everyone at the batch that is its own best. First the features that `graft extract` stores are compared
with PyTorch's.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

# Read at start by OpenBLAS, OpenMP, MKL, oneDNN and ATen; what somebody has set there would slow the peers down or
# overrule the numbers of threads below.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
             "MKL_ENABLE_INSTRUCTIONS", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
    os.environ.pop(name, None)
# Threads of OpenMP that wait in a loop would take the cores from those of OpenBLAS, and PyTorch half its speed.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import numpy as np
import onnxruntime
import threadpoolctl
import torch
import torchvision

from export_torchvision import Backbone

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIDE, LIMIT = 48, 1e-5


class Features(Backbone):
    """The class token alone, so that nobody computes more than is asked for."""

    def forward(self, pixels):
        return super().forward(pixels)[0]


def network():
    """A seeded random vit_b_16 whose biases and norms are not at their start."""
    torch.manual_seed(1)
    vit = torchvision.models.vit_b_16().eval()
    with torch.no_grad():
        for p in vit.parameters():
            if p.dim() == 1:
                p.add_(0.02 * torch.randn_like(p))
    return vit


def export(vit, path):
    """Writes the ONNX file by the plain path: fused attention kernels have no ONNX counterpart."""
    model = Features(vit).train()
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0.0
    torch.onnx.export(model, (torch.zeros((2, 1, SIDE, SIDE), dtype=torch.uint8),), path, input_names=["pixels"], output_names=["cls"],
                      dynamic_axes={"pixels": {0: "N"}, "cls": {0: "N"}}, opset_version=17,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    model.eval()


def run(command, threads):
    done = subprocess.run(list(map(str, command)), env=dict(os.environ, GOMAXPROCS=str(threads)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


class Peers:
    """The peers in this process, on a number of threads."""

    def __init__(self, vit, file, threads, largest):
        torch.set_num_threads(threads)
        threadpoolctl.threadpool_limits(threads)  # of OpenBLAS, which torch leaves alone
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.model = Features(vit).eval()
        self.pixels = torch.randint(256, (largest, 1, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))

    def torch(self, batch):
        with torch.inference_mode():
            return self.model(self.pixels[:batch]).numpy()

    def onnxruntime(self, batch):
        return self.session.run(["cls"], {"pixels": self.pixels[:batch].numpy()})[0]

    def rate(self, features, batch, images):
        """Images a second; the batch before the clock starts warms up after another's turn."""
        features(batch)
        start = time.perf_counter()
        for _ in range(images // batch):
            features(batch)
        return images / (time.perf_counter() - start)


def graft(binary, model, batch, images, threads):
    """Images a second of the bare session and of the extraction."""
    out = run([binary, "bench", "--cases", "extract", "--model", model, "--provider", "cpu", "--threads", threads,
               "--batch", batch, "--images", images, "--rounds", 1, "--json", "-"], threads)
    rate = {case["name"]: case["items_per_second"] for case in json.loads(out)["cases"]}
    return {"session": rate["extract/bare-session"], "graft": rate["extract/pipeline"]}


def check(binary, model, peers, folder):
    """Compares what graft extract stores with what the peers compute."""
    n = min(4, len(peers.pixels))
    rows = peers.pixels[:n].reshape(n, -1).tolist()
    csv = folder / "faces.csv"
    csv.write_text("emotion,pixels,Usage\n" + "".join(f"0,{' '.join(map(str, row))},Training\n" for row in rows))
    run([binary, "extract", "--data", csv, "--model", model, "--out", folder / "store", "--provider", "cpu"], 2)
    want = peers.torch(n)
    for name, got in (("graft", np.load(folder / "store" / "cls" / "00000.npy")), ("onnxruntime", peers.onnxruntime(n))):
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        print(f"relative error of {name} against torch: {error:.1e}")
        if not error <= LIMIT:
            raise SystemExit(f"{name} computes something else")


def rounds(binary, model, peers, threads, batch, args):
    """One table of rates: rounds of each name."""
    images = max(1, args.images // batch) * batch
    table = []
    for r in range(args.rounds):
        turns = [lambda: {"torch": peers.rate(peers.torch, batch, images)},
                 lambda: {"onnxruntime": peers.rate(peers.onnxruntime, batch, images)},
                 lambda: graft(binary, model, batch, images, threads)]
        rate = {}
        for turn in (turns if r % 2 == 0 else reversed(turns)):
            rate.update(turn())
        table.append(rate)
    return table


def line(threads, batch, table, other):
    """graft's rates over another's."""
    ratios = [rate["graft"] / rate[other] for rate in table]
    theirs, ours = (statistics.median(rate[k] for rate in table) for k in (other, "graft"))
    print(f"{threads:7}{batch:7}  {other:12}{theirs:10.2f}{ours:10.2f}{statistics.median(ratios):8.2f}   {min(ratios):.2f} to {max(ratios):.2f}", flush=True)


def best(tables, name):
    """The batch at which a name is fastest, and its median rate there."""
    return max((statistics.median(rate[name] for rate in table), batch) for batch, table in tables.items())


def load():
    return "load average " + " ".join(f"{v:.2f}" for v in os.getloadavg())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="numbers of threads, comma-separated")
    parser.add_argument("--batches", default="1,2,8", help="images per inference, comma-separated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=16, help="of a round")
    args = parser.parse_args()
    batches = list(map(int, args.batches.split(",")))
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores, {load()}")
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        binary, model, theirs = folder / "graft", folder / "graft.onnx", str(folder / "torchvision.onnx")
        subprocess.run(["go", "build", "-o", binary, "./cmd/graft"], cwd=ROOT, check=True)
        vit = network()
        torch.save(vit.state_dict(), folder / "vit_b_16.pth")
        run([binary, "model", "export", "--weights", folder / "vit_b_16.pth", "--out", model], 2)
        export(vit, theirs)
        check(binary, model, Peers(vit, theirs, 2, 4), folder)
        print(f"{'threads':>7}{'batch':>7}  {'against':12}{'its img/s':>10}{'graft':>10}{'ratio':>8}   of the rounds")
        for threads in map(int, args.threads.split(",")):
            peers = Peers(vit, theirs, threads, max(batches))
            tables = {}
            for batch in batches:
                tables[batch] = rounds(binary, model, peers, threads, batch, args)
                for other in ("torch", "onnxruntime", "session"):
                    line(threads, batch, tables[batch], other)
            ours, at = best(tables, "graft")
            for other in ("torch", "onnxruntime"):
                rate, batch = best(tables, other)
                print(f"{threads:7}   best  {other} at {batch}: {rate:.2f} img/s, graft at {at}: {ours:.2f}, ratio {ours / rate:.2f}", flush=True)
    print(load())


if __name__ == "__main__":
    main()
