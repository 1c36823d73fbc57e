#!/usr/bin/env python3
"""Writes the fixtures of calibration: the temperatures that scipy finds for some
logits (finetune/fit/testdata/temperature.json), conformal sets by numpy
(finetune/metrics/testdata/conformal.json), and what scipy minimises the
logit-adjusted loss of a linear head to (finetune/train/testdata/logit_adjust.json).

Run by hand: python scripts/fixtures_calibration.py
"""

import json
import pathlib

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

ROOT = pathlib.Path(__file__).parent.parent


def outputs(rng, n, k, scale):
    """Logits of a classifier that is right more often than not, and its labels."""
    labels = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), labels] += 1.2
    return (logits * scale).astype(np.float32), labels


def temperatures():
    rng, cases = np.random.default_rng(5), []
    for n, k, scale in [(200, 7, 1.0), (150, 3, 4.0), (120, 2, 0.2), (90, 10, 30.0)]:
        logits, labels = outputs(rng, n, k, scale)

        def loss(log_t):
            return -log_softmax(logits.astype(np.float64) / np.exp(log_t), axis=1)[np.arange(n), labels].mean()

        best = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-10})
        cases.append({"classes": k, "logits": [float(v) for v in logits.ravel()], "labels": labels.tolist(),
                      "temperature": float(np.exp(best.x)), "loss": float(best.fun), "loss_at_1": float(loss(0.0))})
    return cases


def conformal():
    """Split conformal sets of the least ambiguous kind: all classes whose 1-p is at
    most the ceil((n+1)*coverage)-th smallest of the calibration rows' 1-p of the label."""
    rng, cases = np.random.default_rng(6), []
    for n, m, k, scale, coverage in [(300, 400, 7, 1.0, 0.9), (60, 100, 3, 2.0, 0.8), (19, 50, 4, 1.0, 0.95), (9, 30, 4, 1.0, 0.95)]:
        z, y = outputs(rng, n, k, scale)
        p = softmax(z, axis=1).astype(np.float32)
        z, labels = outputs(rng, m, k, scale)
        probs = softmax(z, axis=1).astype(np.float32)
        scores = np.append(np.sort(1 - p[np.arange(n), y].astype(np.float64)), np.inf)
        limit = scores[min(int(np.ceil((n + 1) * coverage - 1e-9)), n + 1) - 1]
        sets = 1 - probs.astype(np.float64) <= limit
        sizes = sets.sum(axis=1)
        cases.append({
            "classes": k, "level": coverage, "calibration": [float(v) for v in p.ravel()], "calibration_labels": y.tolist(),
            "probs": [float(v) for v in probs.ravel()], "labels": labels.tolist(),
            "limit": None if np.isinf(limit) else float(limit), "covered": int(sets[np.arange(m), labels].sum()),
            "mean_size": float(sizes.mean()), "sizes": np.bincount(sizes, minlength=k + 1).tolist()})
    return cases


def logit_adjusted():
    """Menon et al. 2021, equation 10, on standardised features; what is judged are
    the logits without the adjustment."""
    rng, n, d, k, tau, strength = np.random.default_rng(7), 90, 4, 3, 1.3, 0.02
    labels = rng.choice(k, n, p=[0.7, 0.2, 0.1])
    x = (rng.normal(size=(n, d)) + 0.8 * rng.normal(size=(k, d))[labels]).astype(np.float32)
    z = x.astype(np.float64)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    offsets = tau * np.log(np.bincount(labels, minlength=k) / n)

    def split(theta):
        return theta[:k * d].reshape(k, d), theta[k * d:]

    def loss(theta):
        w, b = split(theta)
        p = log_softmax(z @ w.T + b + offsets, axis=1)
        error = (np.exp(p) - np.eye(k)[labels]) / n
        gradient = np.concatenate([(error.T @ z + strength * w).ravel(), error.sum(axis=0)])
        return -p[np.arange(n), labels].mean() + strength / 2 * (w * w).sum(), gradient

    best = minimize(loss, np.zeros(k * d + k), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-10})
    w, b = split(best.x)
    logits = z @ w.T + b - b.mean()  # a constant on all biases changes nothing
    return {"dim": d, "classes": k, "tau": tau, "lambda": strength, "features": [float(v) for v in x.ravel()],
            "labels": labels.tolist(), "logits": logits.ravel().tolist()}


def main():
    for name, cases in [("finetune/fit/testdata/temperature.json", temperatures()),
                        ("finetune/metrics/testdata/conformal.json", conformal()),
                        ("finetune/train/testdata/logit_adjust.json", logit_adjusted())]:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
