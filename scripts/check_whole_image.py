#!/usr/bin/env python3
"""Compares files of graft export --whole-image, run by Python's onnxruntime on what PIL decodes, with graft predict of the run.

    python scripts/check_whole_image.py --graft graft --photos photos runs/head runs/cnn

Needs numpy, onnxruntime and pillow. Prints the largest difference of a probability over the photographs, by graft on the file
and by onnxruntime, on PNG copies, as JPEG's decoders differ; more than a hundredth is exit status 1.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image

from compare import worst


def predicted(graft, model, photos, provider):
    out = os.path.join(tempfile.mkdtemp(), "answers.json")
    command = [graft, "predict", model, *photos, "--top", "0", "--json", out]
    subprocess.run(command + (["--provider", provider] if provider else []), check=True, stdout=subprocess.DEVNULL)
    return [{s["label"]: s["probability"] for s in p["scores"]} for p in json.load(open(out))]


def main(a):
    images = [Image.open(os.path.join(a.photos, n)) for n in sorted(os.listdir(a.photos))]
    images = [i if i.mode == "L" else i.convert("RGB") for i in images]
    folder = tempfile.mkdtemp()
    photos = [os.path.join(folder, f"{k:03d}.png") for k in range(len(images))]
    for i, p in zip(images, photos):
        i.save(p)
    images = [np.asarray(i) for i in images]
    sizes = [i.shape[0] * i.shape[1] / 1e6 for i in images]
    print(f"{len(photos)} photographs of {min(sizes):.2f} to {max(sizes):.2f} megapixels")
    failed = False
    for run in a.runs:
        file = os.path.join(tempfile.mkdtemp(), "photos.onnx")
        subprocess.run([a.graft, "export", run, "--out", file, "--whole-image"], check=True, stdout=subprocess.DEVNULL)
        labels = [l.strip() for l in open(file.replace(".onnx", ".labels.txt"))]
        want = predicted(a.graft, run, photos, None)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        python = [session.run(["probabilities"], {"pixels": i.reshape(1, *i.shape[:2], -1)})[0][0] for i in images]
        python = [dict(zip(labels, p, strict=True)) for p in python]
        row = {f"graft, provider {p}": predicted(a.graft, file, photos, p) for p in a.providers.split(",")}
        row["Python's onnxruntime"] = python
        for who, got in row.items():
            d = worst(abs(g[l] - w[l]) for g, w in zip(got, want, strict=True) for l in labels)
            same = sum(max(g, key=g.get) == max(w, key=w.get) for g, w in zip(got, want))
            print(f"| {run} | {who} | {d:.1e} | {same} of {len(photos)} labels equal |")
            failed = failed or not d <= 0.01
    sys.exit(failed)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--graft", default="graft")
    p.add_argument("--photos", required=True, help="a folder of upright photographs")
    p.add_argument("--providers", default="cpu,go")
    p.add_argument("runs", nargs="+")
    main(p.parse_args())
