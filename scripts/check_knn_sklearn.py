#!/usr/bin/env python3
"""Compares `graft eval --knn` on a store with scikit-learn's KNeighborsClassifier(metric="cosine", algorithm="brute").

    graft eval --knn 20 --vote equal --embeddings STORE --taps cls --split public-test,private-test --predictions OUT
    python scripts/check_knn_sklearn.py STORE OUT --taps cls --k 20 --vote equal

Needs numpy, scikit-learn and duckdb. Prints for each split both accuracies, the share of equal predictions, and the largest
difference of a probability.
"""
import argparse
import csv
import glob
import os
import time

import duckdb
import numpy as np
from sklearn.neighbors import KNeighborsClassifier


def main():
    p = argparse.ArgumentParser()
    p.add_argument("store")
    p.add_argument("predictions", help="folder that graft eval --predictions wrote")
    p.add_argument("--taps", default="cls")
    p.add_argument("--k", type=int, default=20)
    p.add_argument("--vote", choices=("weighted", "equal"), default="weighted")
    p.add_argument("--center", action="store_true")
    a = p.parse_args()
    meta = os.path.join(a.store, "meta", "[0-9]*.parquet")
    rows = duckdb.sql(f"select split, label from read_parquet('{meta}') order by index").fetchall()
    split, labels = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    x = np.concatenate([np.concatenate([np.load(f) for f in sorted(glob.glob(os.path.join(a.store, t, "*.npy")))]) for t in a.taps.split(",")], 1)

    if a.center:
        x = x - x[split == "train"].mean(0, dtype=np.float64).astype(np.float32)

    def weights(distance):
        return np.exp(-(distance - distance.min(1, keepdims=True)) / 0.07)

    model = KNeighborsClassifier(a.k, metric="cosine", algorithm="brute", weights=weights if a.vote == "weighted" else "uniform")
    model.fit(x[split == "train"], labels[split == "train"])
    for path in sorted(glob.glob(os.path.join(a.predictions, "predictions-*.csv"))):
        name = os.path.basename(path)[len("predictions-"):-len(".csv")]
        with open(path) as f:
            ours = list(csv.DictReader(f))
        columns = [c for c in ours[0] if c.startswith("p_")]
        probs = np.array([[float(r[c]) for c in columns] for r in ours])
        start = time.perf_counter()
        theirs = model.predict_proba(x[split == name])
        seconds = time.perf_counter() - start
        truth, mine = labels[split == name], probs.argmax(1)
        print(f"{name}: graft {np.mean(mine == truth):.4%}, scikit-learn {np.mean(theirs.argmax(1) == truth):.4%} in {seconds:.1f} s, "
              f"equal predictions {np.sum(mine == theirs.argmax(1))} of {len(truth)}, largest difference of a probability {np.abs(probs - theirs).max():.2g}")


if __name__ == "__main__":
    main()
