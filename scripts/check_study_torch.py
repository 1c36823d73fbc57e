#!/usr/bin/env python3
"""Trains the study's CNN and shallow ViT with many seeds in graft and in PyTorch, and compares the distributions.

    python scripts/check_study_torch.py --data fer2013.csv [--seeds 10 --models cnn,vit --work study-seeds]

Needs torch and torchvision (1.13 and 0.14 were used), pandas, scipy, and Go. One training is a matter of luck: the study
names one loss and one accuracy, and seeds differ by more than frameworks do. Both sides do the study's setting: pixels in
[0,1] resized to 32×32 with antialiasing, Adam at 1e-4, batches of 32 in a new random order each epoch, ten epochs. For each
seed the loss on the public test after the last epoch and the number of correct faces of the private test are kept in the
work folder, so that what was interrupted goes on. The last column is the probability of means so far apart if both sides
drew from one distribution (Welch's t-test).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

import numpy
import pandas
import scipy.stats
import torch
import torch.nn.functional as F
import torchvision

from fixtures_nets import StudyCNN, StudyViT

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = {"cnn": StudyCNN, "vit": StudyViT}
BATCH, RATE, EPOCHS = 32, 1e-4, 10


def read(path):
    """Images [N,1,32,32] and labels of each split."""
    table = pandas.read_csv(path)
    table.columns = table.columns.str.strip()
    pixels = numpy.array([numpy.fromstring(p, dtype=numpy.uint8, sep=" ") for p in table["pixels"]])
    images = torch.from_numpy(pixels).view(-1, 1, 48, 48).float() / 255
    resize = torchvision.transforms.Resize((32, 32), antialias=True)
    images, labels = torch.cat([resize(part) for part in images.split(1024)]), torch.tensor(table["emotion"].values)
    of = {name: torch.from_numpy((table["Usage"].str.strip() == name).values) for name in ("Training", "PublicTest", "PrivateTest")}
    return {name: (images[rows], labels[rows]) for name, rows in of.items()}


def torch_run(model, data, seed):
    torch.manual_seed(seed)
    net = MODELS[model]()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    x, y = data["Training"]
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        logits = {name: net(data[name][0]) for name in ("PublicTest", "PrivateTest")}
    loss = F.cross_entropy(logits["PublicTest"], data["PublicTest"][1]).item()
    return loss, int((logits["PrivateTest"].argmax(1) == data["PrivateTest"][1]).sum())


def graft_run(binary, model, path, seed, folder):
    call = lambda *words: subprocess.run([binary, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    if not (folder / "metrics.json").exists():
        call("train", model, "--data", path, "--seed", str(seed), "--out", str(folder), "--threads", "1")
    reports = json.loads(call("eval", str(folder), "--data", path, "--split", "public-test,private-test", "--json", "-"))
    of = {r["split"]: r for r in reports}
    return of["public-test"]["loss"], of["private-test"]["correct"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="FER2013's CSV, or an archive of it that pandas reads")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--models", default="cnn,vit")
    parser.add_argument("--work", default="study-seeds", help="folder of runs and figures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    binary = str(work / "graft")
    subprocess.run(["go", "build", "-o", os.path.abspath(binary), "./cmd/graft"], cwd=ROOT, check=True)
    data = read(args.data)
    for model in args.models.split(","):
        store = work / f"{model}.json"
        kept = json.loads(store.read_text()) if store.exists() else {"graft": {}, "torch": {}}
        for seed in map(str, range(1, args.seeds + 1)):
            for side, run in (("graft", lambda: graft_run(binary, model, args.data, seed, work / f"{model}-{seed}")),
                              ("torch", lambda: torch_run(model, data, int(seed)))):
                if seed not in kept[side]:
                    kept[side][seed] = run()
                    store.write_text(json.dumps(kept))
                    print(model, side, "seed", seed, "loss %.4f, %d correct" % tuple(kept[side][seed]), flush=True)
        tell(model, {side: [kept[side][str(s)] for s in range(1, args.seeds + 1)] for side in kept})


def tell(model, rows):
    for i, what in enumerate(("public-test loss", "private-test correct")):
        columns = {side: [r[i] for r in rows[side]] for side in rows}
        p = scipy.stats.ttest_ind(*columns.values(), equal_var=False).pvalue
        words = [f"{side} {statistics.mean(v):.4g} ± {statistics.stdev(v):.2g} ({min(v):.4g} to {max(v):.4g})" for side, v in columns.items()]
        print(f"{model}, {what}: {'; '.join(words)}; p = {p:.2f}", flush=True)


if __name__ == "__main__":
    main()
