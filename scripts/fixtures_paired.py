#!/usr/bin/env python3
"""Writes finetune/metrics/testdata/paired.json: which rows three models have right, and what statsmodels 0.15 (exact
McNemar, Holm), scipy 1.17 (binomial test) and a plain numpy bootstrap of groups say of each pair; and samples of
accuracies with scipy's Welch test.

Run by hand: python scripts/fixtures_paired.py
"""

import itertools
import json
import pathlib

import numpy as np
from scipy.stats import binomtest, ttest_ind
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

RESAMPLES = 100_000


def interval(difference, counted, groups, rng):
    """95% percentile interval of the mean of the counted differences, groups drawn whole."""
    _, number = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(number, difference * counted), np.bincount(number, counted)
    values = []
    for _ in range(RESAMPLES // 1000):
        drawn = rng.integers(0, len(sums), (1000, len(sums)))
        values.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.quantile(np.concatenate(values), [0.025, 0.975]).tolist()


def pair(this, other, counted, groups, rng):
    a, b = this[counted], other[counted]
    table = [[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]]
    p = mcnemar(table, exact=True).pvalue
    assert abs(p - binomtest(table[0][1], table[0][1] + table[1][0]).pvalue) < 1e-12
    return {"total": int(counted.sum()), "only_this": table[0][1], "only_other": table[1][0], "p": float(p),
            "accuracy_difference": float(a.mean() - b.mean()),
            "accuracy_difference_ci95": interval(this.astype(float) - other, counted, groups, rng)}


def welch(this, other):
    test = ttest_ind(this, other, equal_var=False)
    interval = test.confidence_interval(0.95)
    return {"this": this.tolist(), "other": other.tolist(), "accuracy_difference": float(this.mean() - other.mean()),
            "accuracy_difference_ci95": [float(interval.low), float(interval.high)], "p": float(test.pvalue)}


def main():
    rng = np.random.default_rng(7)
    n = 400
    groups = np.where(np.arange(n) < 200, np.arange(n) // 4, np.arange(n))  # half of the rows come in fours
    easy = rng.random(n)[groups]  # rows of a group are equally hard
    models = [easy + 0.15 * rng.normal(size=n) > t for t in (0.40, 0.44, 0.60)]
    counted = rng.random(n) > 0.1
    out = {"groups": groups.tolist(), "counted": counted.tolist(), "right": [m.tolist() for m in models],
           "mcnemar": [[b, c, float(binomtest(b, b + c).pvalue)] for b, c in
                       [(0, 1), (5, 0), (3, 9), (60, 60), (1, 400), (1000, 1100), (5000, 4000), (200000, 201000)]]}
    for name, rows in [("all", np.ones(n, bool)), ("some", counted)]:
        pairs = [pair(models[i], models[j], rows, groups, rng) for i, j in itertools.combinations(range(3), 2)]
        for one, p in zip(pairs, multipletests([q["p"] for q in pairs], method="holm")[1]):
            one["p_holm"] = float(p)
        out[name] = pairs
    out["welch"] = [welch(0.6 + 0.01 * rng.normal(size=n), 0.6 + gap + 0.02 * rng.normal(size=m))
                    for n, m, gap in [(5, 5, 0.0), (2, 3, 0.05), (12, 4, 0.03), (3, 10, -0.1)]]
    for one, p in zip(out["welch"], multipletests([q["p"] for q in out["welch"]], method="holm")[1]):
        one["p_holm"] = float(p)
    path = pathlib.Path(__file__).parent.parent / "finetune/metrics/testdata/paired.json"
    path.write_text(json.dumps(out, separators=(",", ":")).replace("true", "1").replace("false", "0") + "\n")


main()
