#!/usr/bin/env python3
"""Compares the labels that graft data audit suspects with cleanlab's, on the same probabilities, against FER+.

    graft data audit --data fer2013.tar.gz --embeddings embeddings --out audit
    python scripts/check_audit_cleanlab.py audit fer2013new.csv

Needs numpy, pandas, pyarrow, scikit-learn and cleanlab (2.9 was measured). Probabilities are those of
audit/probabilities.parquet, rows of train, out of fold. A label counts as wrong where it is not among FER+'s classes of
most votes of ten (contempt, unknown and "not a face" are none of FER2013's). Precision at k is the share of wrong ones
among the k most suspected; the area under the ROC curve is of the score of every row. graft's thresholds must be cleanlab's, its
confident joint and suspects those of the paper's formula, or the exit status is 1.
"""
import json
import sys
import time

import numpy as np
import pandas as pd
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import roc_auc_score

VOTES = {"neutral": "neutral", "happiness": "happy", "surprise": "surprise", "sadness": "sad", "anger": "angry", "disgust": "disgust",
         "fear": "fear", "contempt": None, "unknown": None, "NF": None}


def wrong_labels(votes, labels, indices):
    """Whether each label is none of the classes of most votes."""
    v = votes[list(VOTES)].to_numpy()[indices]
    most = v == v.max(1, keepdims=True)
    names = np.array([c or "" for c in VOTES.values()])
    return ~(most & (names[None, :] == labels[:, None])).any(1)


def suggested_right(votes, suggested, indices):
    return ~wrong_labels(votes, suggested, indices)


def main(folder, votes_file):
    report = json.load(open(f"{folder}/audit.json"))
    classes = np.array(report["classes"])
    rows = pd.read_parquet(f"{folder}/probabilities.parquet")
    rows = rows[rows.fold >= 0].reset_index(drop=True)
    p = np.stack(rows.probabilities.to_numpy()).astype(np.float64)
    p /= p.sum(1, keepdims=True)
    given = rows.label.to_numpy().astype(str)
    labels = np.searchsorted(classes[np.argsort(classes)], given)
    labels = np.argsort(classes)[labels]
    votes = pd.read_csv(votes_file)
    wrong = wrong_labels(votes, given, rows["index"].to_numpy())
    print(f"{len(rows)} rows of train, {wrong.sum()} ({wrong.mean():.1%}) with another label than FER+'s majority\n")

    ours = pd.read_parquet(f"{folder}/labels.parquet")
    ours = ours[ours.split == "train"].reset_index(drop=True)
    at = pd.Series(np.arange(len(rows)), index=rows["index"])
    ours_at = at[ours["index"]].to_numpy()
    top = np.take_along_axis(p, labels[:, None], 1)[:, 0]
    others = p.copy()
    np.put_along_axis(others, labels[:, None], -1, 1)
    margin = top - others.max(1)

    def line(name, ranked, score, seconds):
        figures = [f"{wrong[ranked[:k]].mean():.1%}" for k in (100, 500, 1000)]
        print(f"{name:44} {len(ranked):6}  {'  '.join(figures)}  {wrong[ranked].mean():6.1%}  {roc_auc_score(wrong, -score):.4f}  {seconds}")

    print(f"{'':44} {'rows':>6}  {'@100':>5}  {'@500':>5}  {'@1000':>5}  {'all':>6}  {'AUC':>6}  seconds")
    line("graft data audit", ours_at, margin, "see BenchmarkConfident")
    results = {}
    for by in ("confident_learning", "prune_by_noise_rate", "both", "predicted_neq_given"):
        for rank in ("normalized_margin", "self_confidence"):
            start = time.perf_counter()
            issues = find_label_issues(labels, p, filter_by=by, return_indices_ranked_by=rank)
            scores = get_label_quality_scores(labels, p, method=rank)
            results[by, rank] = issues
            line(f"cleanlab, {by}, {rank}", issues, scores, f"{time.perf_counter() - start:.2f}")
    right = suggested_right(votes, ours.suggested.to_numpy().astype(str), ours["index"].to_numpy())
    print("\nthe suggested label is FER+'s majority for", ", ".join(f"{right[:k].mean():.1%} of the first {k}" for k in (100, 500, 1000)), f"and {right.mean():.1%} of all")

    thresholds = get_confident_thresholds(labels, p)
    confident = np.where(p >= thresholds, p, -1)
    class_of = np.where((confident >= 0).any(1), confident.argmax(1), -1)
    joint = np.zeros((len(classes), len(classes)), int)
    np.add.at(joint, (labels[class_of >= 0], class_of[class_of >= 0]), 1)
    suspects = np.flatnonzero((class_of >= 0) & (class_of != labels) & (p.argmax(1) != labels))
    theirs = compute_confident_joint(labels, p, calibrate=False)
    print("where several classes reach their thresholds cleanlab takes the most probable of all: the confident joint differs in "
          f"{np.abs(joint - theirs).sum() // 2} rows, the suspects in {len(set(suspects) ^ set(results['confident_learning', 'self_confidence']))}")
    far = np.abs(thresholds - np.array(report["labels"]["thresholds"], dtype=float)).max()
    moved = np.abs(joint - np.array(report["labels"]["confident_joint"])).sum() // 2
    apart = len(set(suspects) ^ set(ours_at))
    print(f"graft's thresholds differ from cleanlab's by at most {far:.1e}; its confident joint from the paper's in {moved} rows, its suspects in {apart}")
    sys.exit(not (far <= 1e-6 and moved <= 2 and apart <= 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
