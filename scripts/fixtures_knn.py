#!/usr/bin/env python3
"""Writes scikit-learn's nearest neighbours and votes on made-up features to finetune/knn/testdata.

    python scripts/fixtures_knn.py

Made with scikit-learn 1.2.1. Numbers are rounded before use, so that JSON holds them exactly. Both sides see float32.
"""
import json
import os

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "finetune", "knn", "testdata")
TEMPERATURE = 0.07


def weighted(distance):
    return np.exp(-(distance - distance.min(1, keepdims=True)) / TEMPERATURE)


def main(rows=240, queries=30, dim=7, classes=4):
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(classes, dim)) + 1
    labels, asked = rng.integers(0, classes, rows), rng.integers(0, classes, queries)
    x = np.round(centres[labels] + rng.normal(size=(rows, dim)) * 0.9, 3).astype(np.float32)
    q = np.round(centres[asked] + rng.normal(size=(queries, dim)) * 0.9, 3).astype(np.float32)
    cases = []
    for k, vote in ((1, "equal"), (5, "equal"), (20, "equal"), (20, "weighted"), (rows, "weighted")):
        model = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights="uniform" if vote == "equal" else weighted)
        model.fit(x, labels)
        distance, index = model.kneighbors(q)
        cases.append({
            "k": k, "vote": vote, "predicted": model.predict(q).tolist(), "probabilities": np.round(model.predict_proba(q), 9).tolist(),
            "neighbours": index[:, : min(k, 5)].tolist(), "similarity": np.round(1 - distance[:, : min(k, 5)].astype(float), 9).tolist(),
        })
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "sklearn.json"), "w") as f:
        json.dump({"dim": dim, "classes": classes, "x": x.astype(float).round(3).ravel().tolist(), "labels": labels.tolist(),
                   "q": q.astype(float).round(3).ravel().tolist(), "cases": cases}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
