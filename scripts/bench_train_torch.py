#!/usr/bin/env python3
"""Times training of the study's CNN and shallow ViT in graft against PyTorch eager, in turns, in one run.

    python scripts/bench_train_torch.py [--rounds 7 --images 9600 --threads 1,2]

Needs numpy, torch (2.15 was measured), safetensors and Go. Both sides do the same: passes over random 32×32 images in
memory, in a new random order each time, batches of 32, cross-entropy, Adam at 1e-4, and the loss of every step looked at.
A round is one pass on each side after a warm-up; the time of starting, compiling and drawing images does not count.
graft's process gets as many cores as PyTorch gets threads (GOMAXPROCS), so that the preparation of its batches has no core
of its own. PyTorch gets the fastest of its three forms of Adam.

Before anything is timed, both train from the same weights, graft's, on one batch of random 48×48 faces, which either side
resizes by itself: the losses of 40 steps must be equal to a relative 1e-5.
"""
import csv
import json

import bench_common as common

common.need("numpy", "torch", "safetensors")

import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from fixtures_nets import StudyCNN, StudyViT

MODELS = {"cnn": ("CNN", StudyCNN), "vit": ("shallow ViT", StudyViT)}
ADAMS = {"foreach": False}, {"foreach": True}, {"fused": True}
BATCH, RATE, STEPS, LIMIT = 32, 1e-4, 40, 1e-5


class Trainer:
    """A model and its optimiser, with images to train on."""

    def __init__(self, model, x, y, adam):
        self.model, self.x, self.y = model.train(), x, y
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, **adam)

    def step(self, rows):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.x[rows]), self.y[rows])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def epoch(self, images):
        """Images a second of a pass over the first images."""
        start = time.perf_counter()
        losses = [self.step(rows) for rows in torch.randperm(images).split(BATCH)]
        seconds = time.perf_counter() - start
        if not np.isfinite(losses).all():
            raise SystemExit(f"a loss of PyTorch's is not finite: {losses}")
        return images / seconds


def fastest(make, x, y):
    """A trainer with the fastest form of Adam, warmed up."""
    trainers = [Trainer(make(), x, y, adam) for adam in ADAMS]
    images = min(len(x), STEPS * BATCH)
    rates = [[t.epoch(images) for t in trainers] for _ in range(4)][1:]
    return max(zip(map(statistics.median, zip(*rates)), range(len(trainers)), trainers))[2]


def study(binary, model, data, out, epochs, rate):
    """Trains by the study's recipe, and returns the folder of the run."""
    common.run([binary, "train", model, "--data", data, "--out", out, "--batch", BATCH, "--epochs", epochs, "--lr", rate])
    return out


def check(binary, model, folder):
    """Trains on one batch on both sides and compares the losses of all steps. With a rate of next to nothing graft leaves
    the weights that it begins with; with one batch an epoch is a step, whose order does not matter."""
    random = np.random.default_rng(3)
    faces, labels = random.integers(256, size=(BATCH, 48 * 48)), random.integers(7, size=BATCH)
    data = folder / "faces.csv"
    lines = [f"{label},{' '.join(map(str, face))}," for label, face in zip(labels, faces)]
    data.write_text("\n".join(["emotion,pixels,Usage", *(line + "Training" for line in lines), lines[0] + "PublicTest", lines[1] + "PrivateTest", ""]))
    start = load_file(study(binary, model, data, folder / f"{model}-start", 1, 1e-30) / "model.safetensors")
    with open(study(binary, model, data, folder / model, STEPS, RATE) / "history.csv") as f:
        ours = np.array([float(line["train_loss"]) for line in csv.DictReader(f)])
    x = torch.tensor(faces, dtype=torch.float32).view(-1, 1, 48, 48) / 255
    x = F.interpolate(x, size=(32, 32), mode="bilinear", antialias=True)
    network = MODELS[model][1]()
    network.load_state_dict(start)
    trainer = Trainer(network, x, torch.tensor(labels), ADAMS[0])
    theirs = np.array([trainer.step(slice(None)) for _ in range(STEPS)])
    if len(ours) != STEPS or not theirs[-1] < theirs[0]:
        raise SystemExit(f"{model}: {len(ours)} losses of graft's, wanted {STEPS}, and PyTorch's must fall: {theirs}")
    print(f"{model}: loss from {theirs[0]:.6g} to {theirs[-1]:.6g}")
    common.agree(f"{model}: relative difference of the losses in {STEPS} steps", float(np.max(np.abs(ours - theirs) / theirs)), 0, LIMIT)


def graft(binary, model, images, threads):
    """Images a second of one pass after a warm-up."""
    out = common.run([binary, "bench", "--cases", model, "--threads", threads, "--images", images, "--batch", BATCH, "--rounds", 1, "--json", "-"], threads)
    case, = json.loads(out)["cases"]
    if case["name"] != model or case["batch"] != BATCH:
        raise SystemExit(f"graft measured {case}, wanted {model} with batches of {BATCH}")
    return {"graft": case["items_per_second"]}


def compare(binary, model, x, y, threads, rounds):
    """Rates of each round."""
    torch.set_num_threads(threads)
    trainer = fastest(MODELS[model][1], x, y)

    def peer():
        trainer.epoch(min(len(x), STEPS * BATCH))  # warms up after graft's turn
        return {"torch": trainer.epoch(len(x))}

    return common.alternate(rounds, peer, lambda: graft(binary, model, len(x), threads))


def main():
    args = common.arguments(__doc__, images=9600, threads="1,2", models="cnn,vit").parse_args()
    threads, rows = common.numbers(args.threads), []
    torch.manual_seed(1)
    x, y = torch.rand(args.images, 1, 32, 32), torch.randint(7, (args.images,))
    with common.workplace() as folder:
        binary = common.build(folder)
        for model in args.models.split(","):
            check(binary, model, folder)
            tables = [compare(binary, model, x, y, t, args.rounds) for t in threads]
            ours, theirs = (common.listed(f"{common.median(t, name):,.0f}" for t in tables) for name in ("graft", "torch"))
            rows.append(common.row(
                f"training steps of the study's {MODELS[model][0]}, batch {BATCH}, {common.on(threads)} ({ours} images/s)",
                f"{common.versions('torch')} eager, its fastest Adam ({theirs} images/s): `scripts/bench_train_torch.py`",
                f"{common.listed(common.ratio(t, 'torch') for t in tables)} times as fast"))
    common.write(args.json, rows)


if __name__ == "__main__":
    main()
