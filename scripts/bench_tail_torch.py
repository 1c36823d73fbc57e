#!/usr/bin/env python3
"""Times training of a network's last blocks on kept tokens, in graft against PyTorch eager, in turns, in one run.

    python scripts/bench_tail_torch.py [--rounds 5 --arch vit_ti_16 --blocks 2,4 --images 224 --threads 1,2]

Needs numpy, torch (2.15 was measured), safetensors, onnx, Go and ONNX Runtime's library (`make setup`). The network is random,
the images are drawn. graft keeps what the frozen part makes of each (float16, as always), and both sides read these tokens from
memory: passes in a new random order, batches of 32, cross-entropy, AdamW with layer-wise decay of the learning rate, float32.
A round is one pass on each side after a warm-up. graft's process gets as many cores as PyTorch gets threads (GOMAXPROCS).

Before anything is timed, both train on one batch: the losses of 12 steps must be equal to a relative 1e-5.
"""
import csv

import bench_common as common

common.need("numpy", "torch", "safetensors", "onnx")

import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

BATCH, ONE, CLASSES, RATE, DECAY, WEIGHT_DECAY, STEPS, LIMIT = 32, 35, 7, 1e-4, 0.75, 0.05, 12, 1e-5
HEADS = {"ti": 3, "s": 6, "b": 12}


class Tail:
    """The last blocks of a vision transformer, its last norm and a head of zeros on the class token."""

    def __init__(self, weights, arch, blocks):
        self.heads, depth = HEADS[arch.split("_")[1]], 1 + max(int(k.split(".")[1]) for k in weights if k.startswith("blocks."))
        self.first, self.depth = depth - blocks, depth
        names = [k for k in weights if k.startswith("norm.") or k.startswith("blocks.") and int(k.split(".")[1]) >= self.first]
        self.w = {k: weights[k].float().clone() for k in names}
        width = self.w["norm.weight"].numel()
        self.w |= {"head.weight": torch.zeros(CLASSES, width), "head.bias": torch.zeros(CLASSES)}
        for v in self.w.values():
            v.requires_grad_()
        groups = [{"params": [v], "lr": RATE * DECAY ** self.behind(k), "weight_decay": WEIGHT_DECAY if v.dim() > 1 else 0.0} for k, v in self.w.items()]
        merged = {}
        for group in groups:  # few groups are faster
            merged.setdefault((group["lr"], group["weight_decay"]), []).extend(group["params"])
        self.optimizer = torch.optim.AdamW([{"params": p, "lr": lr, "weight_decay": d} for (lr, d), p in merged.items()], foreach=True)

    def behind(self, name):
        """How many blocks lie behind a weight's own."""
        return self.depth - int(name.split(".")[1]) if name.startswith("blocks.") else 0

    def block(self, k, x):
        w, p = self.w, f"blocks.{k}."
        norm = lambda name, v: F.layer_norm(v, v.shape[-1:], w[p + name + ".weight"], w[p + name + ".bias"], 1e-6)
        linear = lambda name, v: F.linear(v, w[p + name + ".weight"], w[p + name + ".bias"])
        n, t, d = x.shape
        q, k_, v = linear("attn.qkv", norm("norm1", x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + linear("attn.proj", F.scaled_dot_product_attention(q, k_, v).transpose(1, 2).reshape(n, t, d))
        return x + linear("mlp.fc2", F.gelu(linear("mlp.fc1", norm("norm2", x))))

    def step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        for k in range(self.first, self.depth):
            x = self.block(k, x)
        x = F.layer_norm(x[:, 0], x.shape[-1:], self.w["norm.weight"], self.w["norm.bias"], 1e-6)
        loss = F.cross_entropy(F.linear(x, self.w["head.weight"], self.w["head.bias"]), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def epoch(self, x, y):
        """Images a second of a pass."""
        start = time.perf_counter()
        losses = [self.step(x[rows], y[rows]) for rows in torch.randperm(len(x)).split(BATCH)]
        if not np.isfinite(losses).all():
            raise SystemExit(f"a loss of PyTorch's is not finite: {losses}")
        return len(x) / (time.perf_counter() - start)


class Graft:
    """graft's side: a random network, and drawn images whose tokens it keeps."""

    def __init__(self, folder, arch):
        self.folder, self.binary, self.model = folder, common.build(folder), folder / f"{arch}.onnx"
        common.run([self.binary, "model", "export", "--random-init", 1, "--arch", arch, "--out", self.model])
        common.run([self.binary, "model", "export", "--weights", self.model, "--out", folder / "weights.safetensors"])
        self.weights = load_file(folder / "weights.safetensors")

    def train(self, blocks, images, epochs, batch=BATCH, threads=None):
        """Trains, keeps the tokens for the next time, and returns the passes' losses and seconds."""
        out = self.folder / "run"
        common.run([self.binary, "train", "backbone", *self.data(images), "--model", self.model,
                    "--out", out, "--embeddings", self.store(blocks, images), "--unfreeze", blocks, "--views", 1, "--augment", "none", "--head", "none",
                    "--taps", "cls", "--mirror=false", "--holdout", 0, "--keep-best=false", "--epochs", epochs, "--batch", batch, "--lr", RATE,
                    "--layer-decay", DECAY, "--weight-decay", WEIGHT_DECAY, "--schedule", "constant", "--warmup", 0, "--drop-path", 0,
                    "--label-smoothing", 0, "--ema", 0, "--clip", 0, "--force", *(["--threads", threads] if threads else [])], threads)
        with open(out / "history.csv") as f:
            lines = list(csv.DictReader(f))
        return [float(line["train_loss"]) for line in lines], [float(line["seconds"]) for line in lines]

    def data(self, images):
        return "--data", "synthetic", "--per-class", images // CLASSES

    def store(self, blocks, images):
        return self.folder / f"tokens-{blocks}-{images}"

    def tokens(self, blocks, images):
        """What was kept, and the labels."""
        store, tap = self.store(blocks, images), f"tokens_{self.depth() - blocks}"
        common.run([self.binary, "embeddings", "export", store, "--taps", tap, "--split", "train", "--out", self.folder / f"{store.name}.npy"])
        common.run([self.binary, "data", "convert", *self.data(images), "--out", self.folder / f"{store.name}.csv"])
        with open(self.folder / f"{store.name}.csv") as f:
            labels = [int(line["emotion"]) for line in csv.DictReader(f) if line["Usage"] == "Training"]
        x = torch.tensor(np.load(self.folder / f"{store.name}.npy")).float()
        return x.view(len(x), -1, self.weights["norm.weight"].numel()), torch.tensor(labels)

    def depth(self):
        return 1 + max(int(k.split(".")[1]) for k in self.weights if k.startswith("blocks."))


def check(graft, arch, blocks):
    """Trains on one batch on both sides, whose order does not matter, and compares the losses of all steps."""
    ours = np.array(graft.train(blocks, ONE, STEPS, ONE)[0])
    x, y = graft.tokens(blocks, ONE)
    tail = Tail(graft.weights, arch, blocks)
    theirs = np.array([tail.step(x, y) for _ in range(STEPS)])
    if len(ours) != STEPS or not theirs[-1] < theirs[0]:
        raise SystemExit(f"{len(ours)} losses of graft's, wanted {STEPS}, and PyTorch's must fall: {theirs}")
    print(f"{arch}, last {blocks}: tokens {list(x.shape)}, loss from {theirs[0]:.6g} to {theirs[-1]:.6g}")
    common.agree(f"{arch}, last {blocks}: relative difference of the losses in {STEPS} steps", float(np.max(np.abs(ours - theirs) / theirs)), 0, LIMIT)


def compare(graft, arch, blocks, x, y, threads, rounds):
    """Rates of each round."""
    images = len(x)
    torch.set_num_threads(threads)
    tail = Tail(graft.weights, arch, blocks)

    def peer():
        tail.epoch(x[:4 * BATCH], y[:4 * BATCH])  # warms up after graft's turn
        return {"torch": tail.epoch(x, y)}

    return common.alternate(rounds, peer, lambda: {"graft": images / statistics.median(graft.train(blocks, images, 3, threads=threads)[1][1:])})


def main():
    args = common.arguments(__doc__, arch="vit_ti_16", blocks="2,4", images=224, threads="1,2").parse_args()
    threads, rows = common.numbers(args.threads), []
    torch.manual_seed(1)
    with common.workplace() as folder:
        graft = Graft(folder, args.arch)
        for blocks in common.numbers(args.blocks):
            check(graft, args.arch, blocks)
            graft.train(blocks, args.images, 1)  # keeps the tokens
            x, y = graft.tokens(blocks, args.images)
            tables = [compare(graft, args.arch, blocks, x, y, t, args.rounds) for t in threads]
            ours, theirs = (common.listed(f"{common.median(t, name):.1f}" for t in tables) for name in ("graft", "torch"))
            rows.append(common.row(
                f"training steps of the last {blocks} blocks of {common.title(args.arch)}, 197 tokens, batch {BATCH}, {common.on(threads)} ({ours} images/s)",
                f"{common.versions('torch')} eager ({theirs} images/s): `scripts/bench_tail_torch.py`",
                f"{common.listed(common.ratio(t, 'torch') for t in tables)} times as fast"))
    common.write(args.json, rows)


if __name__ == "__main__":
    main()
