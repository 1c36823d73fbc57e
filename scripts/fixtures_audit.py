#!/usr/bin/env python3
"""Writes finetune/audit/testdata/cleanlab.json: what cleanlab 2.9 and numpy make of drawn probabilities.

    python scripts/fixtures_audit.py

Needs numpy and cleanlab. Probabilities are rounded to float32, and none lies so near to its class's threshold that
cleanlab's tolerance of 1e-6 would count it.
"""
import json
import pathlib

import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues

ROWS, CLASSES = 240, 4

rng = np.random.default_rng(5)
truth = rng.choice(CLASSES, ROWS, p=[0.5, 0.3, 0.15, 0.05])
labels = np.where(rng.random(ROWS) < 0.2, rng.integers(0, CLASSES, ROWS), truth)
logits = rng.standard_normal((ROWS, CLASSES)) + 2.5 * np.eye(CLASSES)[truth]
p = np.exp(logits - logits.max(1, keepdims=True))
p = (p / p.sum(1, keepdims=True)).astype(np.float32)
thresholds = get_confident_thresholds(labels, p.astype(np.float64))
assert np.abs(p - thresholds).min() > 1e-5
joint = compute_confident_joint(labels, p.astype(np.float64), calibrate=False)
issues = find_label_issues(labels, p.astype(np.float64), filter_by="confident_learning", n_jobs=1)
ahead = np.take_along_axis(p.astype(np.float64), labels[:, None], 1)[:, 0]
others = p.astype(np.float64)
np.put_along_axis(others, labels[:, None], -1, 1)
margins = ahead - others.max(1)
out = pathlib.Path(__file__).parent.parent / "finetune/audit/testdata/cleanlab.json"
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps({
    "classes": CLASSES, "labels": labels.tolist(), "probabilities": [float(v) for v in p.ravel()],
    "thresholds": thresholds.tolist(), "joint": joint.tolist(), "issues": np.flatnonzero(issues).tolist(), "margins": margins.tolist(),
}, separators=(",", ":")) + "\n")
print(out, issues.sum(), "issues")
