#!/usr/bin/env python3
"""Writes finetune/metrics/testdata/metrics.json: classifier outputs and what
scikit-learn 1.9, a plain numpy ECE and the Wilson formula say about them. The
intervals are percentiles of the same figures of the same resamples, as sample
weights: four minutes of one core.

Run by hand: python scripts/fixtures_metrics.py
"""

import json
import math
import pathlib
import warnings

import numpy as np
from sklearn import metrics

BINS = 15


RESAMPLES = 1000


def reliability(probs, labels, weights):
    """Guo et al. 2017: equal-width bins (lo, hi] of the top probability; the
    bins' count, confidence and accuracy, and the calibration error."""
    confidence = probs.max(axis=1)
    correct = (probs.argmax(axis=1) == labels).astype(np.float64)
    edges = np.arange(BINS + 1) / BINS
    table, total = [], 0.0
    for lo, hi in zip(edges[:-1], edges[1:]):
        inside = (confidence > lo) & (confidence <= hi)
        w = weights[inside]
        if w.sum() == 0:
            table.append([0, None, None])
            continue
        row = [int(w.sum()), np.average(confidence[inside], weights=w), np.average(correct[inside], weights=w)]
        table.append(row)
        total += w.sum() / weights.sum() * abs(row[2] - row[1])
    return table, total


def figures(probs, labels, w):
    """What is no share, of rows that weigh w, NaN where it is not defined."""
    probs, labels, w = probs[w > 0], labels[w > 0], w[w > 0]
    k = probs.shape[1]
    predicted = probs.argmax(axis=1)
    every = list(range(k))
    truth = np.eye(k)[labels]
    f1 = metrics.f1_score(labels, predicted, labels=every, average=None, zero_division=np.nan, sample_weight=w)
    auroc, precision = np.full(k, np.nan), np.full(k, np.nan)
    for c in range(k):
        if 0 < truth[:, c].sum() < len(labels):
            auroc[c] = metrics.roc_auc_score(truth[:, c], probs[:, c], sample_weight=w)
        if truth[:, c].sum() > 0:
            precision[c] = metrics.average_precision_score(truth[:, c], probs[:, c], sample_weight=w)
    return {
        "loss": metrics.log_loss(labels, probs, labels=every, sample_weight=w),
        "brier": metrics.brier_score_loss(
            labels, probs if k > 2 else probs[:, 1], sample_weight=w, labels=every, scale_by_half=False),
        "ece": reliability(probs, labels, w)[1],
        "macro_f1": metrics.f1_score(labels, predicted, average="macro", zero_division=0, sample_weight=w),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted, sample_weight=w),
        "kappa": metrics.cohen_kappa_score(labels, predicted, sample_weight=w),
        "auroc": mean(auroc),
        "average_precision": mean(precision),
        "class_f1": f1, "class_auroc": auroc, "class_average_precision": precision,
    }


def mean(values):
    return np.nan if np.isnan(values).all() else np.nanmean(values)


def splitmix(x):
    mask = (1 << 64) - 1
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    return x ^ x >> 31


def draws(groups):
    """The weights of the rows in each resample; groups are numbered as they come."""
    seen = {g: i for i, g in enumerate(dict.fromkeys(groups))}
    number, count, state = np.array([seen[g] for g in groups]), len(seen), 1
    for _ in range(RESAMPLES):
        times = np.zeros(count)
        for _ in range(count):
            state = state + 0x9E3779B97F4A7C15 & (1 << 64) - 1
            times[splitmix(state) * count >> 64] += 1
        yield times[number]


def plain(value):
    """For JSON: NaN is null."""
    if np.ndim(value):
        return [plain(v) for v in value]
    return None if np.isnan(value) else float(value)


def intervals(probs, labels, groups):
    lists = {}
    for w in draws(groups):
        for name, value in figures(probs, labels, w).items():
            lists.setdefault(name, []).append(value)
    return {name: plain(np.nanquantile(np.array(v), [0.025, 0.975], axis=0).T) for name, v in lists.items()}


def wilson(k, n, z=1.959963984540054):
    p = k / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]


def case(name, rng, n, k, present, scale, degenerate=False, grouped=False):
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
    groups = rng.integers(0, max(1, n * 2 // 3), n).tolist() if grouped else []
    p64 = probs.astype(np.float64)
    predicted = p64.argmax(axis=1)
    every = list(range(k))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            labels, predicted, labels=every, zero_division=0)
        want = {name: plain(v) for name, v in figures(p64, labels, np.ones(n)).items()}
        want |= {
            "correct": int((predicted == labels).sum()),
            "accuracy": metrics.accuracy_score(labels, predicted),
            "accuracy_ci95": wilson(int((predicted == labels).sum()), n),
            "reliability": reliability(p64, labels, np.ones(n))[0],
            "top_k": [[top, metrics.top_k_accuracy_score(labels, p64, k=top, labels=every)] for top in (2, 3, 5) if top < k],
            "precision": precision.tolist(),
            "recall": recall.tolist(),
            "f1": f1.tolist(),
            "support": support.tolist(),
            "confusion": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
            "ci95": intervals(p64, labels, groups or list(range(n))),
        }
    return {"name": name, "classes": k, "labels": labels.tolist(), "groups": groups,
            "probs": [float(v) for v in probs.ravel()], "want": want}


def main():
    rng = np.random.default_rng(20)
    cases = [
        case("seven classes", rng, 300, 7, range(7), 1.5, grouped=True),
        case("binary", rng, 60, 2, range(2), 1.0),
        case("classes without samples", rng, 80, 5, [0, 2], 0.7, grouped=True),
        case("class never seen nor predicted", rng, 40, 9, [1, 3, 8], 6.0),
        case("ties and zeros", rng, 50, 4, range(4), 1.0, degenerate=True),
        case("one sample", rng, 1, 3, [1], 1.0),
    ]
    out = pathlib.Path(__file__).parent.parent / "finetune/metrics/testdata/metrics.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
