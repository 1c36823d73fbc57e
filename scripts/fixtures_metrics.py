#!/usr/bin/env python3
"""Writes finetune/metrics/testdata/metrics.json: classifier outputs and what
scikit-learn 1.2, a plain numpy ECE and the Wilson formula say about them.

Run by hand: python scripts/fixtures_metrics.py
"""

import json
import math
import pathlib
import warnings

import numpy as np
from sklearn import metrics

BINS = 15


def ece(probs, labels):
    """Guo et al. 2017: equal-width bins (lo, hi] of the top probability."""
    confidence = probs.max(axis=1)
    correct = (probs.argmax(axis=1) == labels).astype(np.float64)
    edges = np.arange(BINS + 1) / BINS
    total = 0.0
    for lo, hi in zip(edges[:-1], edges[1:]):
        inside = (confidence > lo) & (confidence <= hi)
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return total


def wilson(k, n, z=1.959963984540054):
    p = k / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]


def case(name, rng, n, k, present, scale, degenerate=False):
    """present: the classes that labels are drawn from; degenerate rows put
    probability 0 on the truth, and ties between the first two classes."""
    labels = rng.choice(present, n)
    logits = rng.normal(size=(n, k)) * scale
    logits[np.arange(n), labels] += scale
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
    if degenerate:
        probs[:4] = 0
        probs[:2, 0], probs[:2, 1] = 0.5, 0.5
        probs[2:4, 2] = 1
        labels[:4] = [1, 0, 0, 2]
    p64 = probs.astype(np.float64)
    predicted = p64.argmax(axis=1)
    every = list(range(k))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            labels, predicted, labels=every, zero_division=0)
        want = {
            "correct": int((predicted == labels).sum()),
            "accuracy": metrics.accuracy_score(labels, predicted),
            "accuracy_ci95": wilson(int((predicted == labels).sum()), n),
            "loss": metrics.log_loss(labels, p64, labels=every),
            "macro_f1": metrics.f1_score(labels, predicted, average="macro", zero_division=0),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
            "ece": ece(p64, labels),
            "precision": precision.tolist(),
            "recall": recall.tolist(),
            "f1": f1.tolist(),
            "support": support.tolist(),
            "confusion": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
        }
    return {"name": name, "classes": k, "labels": labels.tolist(),
            "probs": [float(v) for v in probs.ravel()], "want": want}


def main():
    rng = np.random.default_rng(20)
    cases = [
        case("seven classes", rng, 300, 7, range(7), 1.5),
        case("binary", rng, 60, 2, range(2), 1.0),
        case("classes without samples", rng, 80, 5, [0, 2], 0.7),
        case("class never seen nor predicted", rng, 40, 9, [1, 3, 8], 6.0),
        case("ties and zeros", rng, 50, 4, range(4), 1.0, degenerate=True),
        case("one sample", rng, 1, 3, [1], 1.0),
    ]
    out = pathlib.Path(__file__).parent.parent / "finetune/metrics/testdata/metrics.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
