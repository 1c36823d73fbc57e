#!/usr/bin/env python3
"""Times training of the study's CNN and shallow ViT in graft against PyTorch eager, in turns, in one run.

    python scripts/bench_train_torch.py [--rounds 7 --images 9600 --threads 1,2]

Needs torch (1.13 was measured), threadpoolctl, safetensors, and Go. Both sides do the same: passes over random 32×32 images in memory,
in a new random order each time, batches of 32, cross-entropy, Adam at 1e-4, and the loss of every step looked at. Who
goes first changes with every round. A round is one pass on each side after a warm-up; the time of starting, compiling
and drawing images does not count. graft's process gets as many cores as PyTorch gets threads (GOMAXPROCS), so that the
preparation of its batches has no core of its own. PyTorch gets the faster of its two forms of Adam.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

# Read at start by OpenBLAS, OpenMP, MKL, oneDNN and ATen; what somebody has set there would slow PyTorch down or
# overrule the numbers of threads below.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
             "MKL_ENABLE_INSTRUCTIONS", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
    os.environ.pop(name, None)
# Threads of OpenMP that wait in a loop would take the cores from those of OpenBLAS, and PyTorch half its speed.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import threadpoolctl
import torch
import torch.nn.functional as F

from fixtures_nets import StudyCNN, StudyViT

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = {"cnn": StudyCNN, "vit": StudyViT}
BATCH, RATE = 32, 1e-4


class Trainer:
    """A model and its optimiser, with images to train on."""

    def __init__(self, make, x, y, foreach):
        self.model, self.x, self.y = make().train(), x, y
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, foreach=foreach)

    def epoch(self, images):
        """Images a second of a pass over the first images."""
        start, total = time.perf_counter(), 0.0
        for rows in torch.randperm(images).split(BATCH):
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.model(self.x[rows]), self.y[rows])
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        if not total / images < float("inf"):
            raise SystemExit(f"PyTorch's loss is {total / images}")
        return images / (time.perf_counter() - start)


def fastest(make, x, y):
    """A trainer with the faster form of Adam, warmed up."""
    trainers = [Trainer(make, x, y, foreach) for foreach in (False, True)]
    images = min(len(x), 40 * BATCH)
    rates = [[t.epoch(images) for t in trainers] for _ in range(4)][1:]
    return max(zip(map(statistics.median, zip(*rates)), (0, 1), trainers))[2]


def graft(binary, model, images, threads):
    """Images a second of one pass after a warm-up."""
    command = [binary, "bench", "--cases", model, "--threads", str(threads), "--images", str(images), "--batch", str(BATCH),
               "--rounds", "1", "--json", "-"]
    done = subprocess.run(command, env=dict(os.environ, GOMAXPROCS=str(threads)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    case, = json.loads(done.stdout)["cases"]
    if case["name"] != model or case["batch"] != BATCH:
        raise SystemExit(f"graft measured {case}, wanted {model} with batches of {BATCH}")
    return case["items_per_second"]


def compare(binary, model, x, y, threads, rounds):
    """Rates of each round, PyTorch's and graft's."""
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)  # of OpenBLAS, which torch leaves alone
    trainer = fastest(MODELS[model], x, y)

    def peer():
        trainer.epoch(min(len(x), 40 * BATCH))  # warms up after graft's turn
        return trainer.epoch(len(x))

    pairs = []
    for r in range(rounds):
        turns = [("torch", peer), ("graft", lambda: graft(binary, model, len(x), threads))]
        if r % 2:
            turns.reverse()
        rate = {name: run() for name, run in turns}
        pairs.append((rate["torch"], rate["graft"]))
    return pairs


def load():
    return "load average " + " ".join(f"{v:.2f}" for v in os.getloadavg())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=9600, help="of a pass")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, comma-separated")
    parser.add_argument("--models", default="cnn,vit")
    args = parser.parse_args()
    torch.manual_seed(1)
    x, y = torch.rand(args.images, 1, 32, 32), torch.randint(7, (args.images,))
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {load()}")
    print(f"{'model':6}{'threads':>8}{'torch images/s':>16}{'graft images/s':>16}{'graft/torch':>13}   of the rounds")
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "graft")
        subprocess.run(["go", "build", "-o", binary, "./cmd/graft"], cwd=ROOT, check=True)
        for threads in map(int, args.threads.split(",")):
            for model in args.models.split(","):
                pairs = compare(binary, model, x, y, threads, args.rounds)
                ratios = [ours / theirs for theirs, ours in pairs]
                theirs, ours = map(statistics.median, zip(*pairs))
                print(f"{model:6}{threads:8}{theirs:16.0f}{ours:16.0f}{statistics.median(ratios):13.2f}   "
                      f"{min(ratios):.2f} to {max(ratios):.2f}", flush=True)
    print(load())


if __name__ == "__main__":
    main()
