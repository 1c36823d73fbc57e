#!/usr/bin/env python3
"""Writes scikit-learn's solutions of small logistic regressions to finetune/head/testdata, and ten of PyTorch's Adam
steps to finetune/fit/testdata.

    python scripts/fixtures_head.py

Made with scikit-learn 1.2.1 and torch 1.13. Numbers are rounded before use, so that JSON holds them exactly.
"""
import json
import os

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "finetune")


def write(package, name, value):
    folder = os.path.join(ROOT, package, "testdata")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as f:
        json.dump(value, f, separators=(",", ":"))
        f.write("\n")


def regression(rows=500, dim=20, classes=4):
    rng = np.random.default_rng(11)
    mix = rng.normal(size=(dim, dim)) * (1 + np.arange(dim))[:, None] ** -1.0
    x = rng.normal(size=(rows, dim)) @ mix
    logits = x @ rng.normal(size=(dim, classes)) * 1.5 + [0.0, 0.5, -1.5, 0.3]
    y = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    x = x * rng.lognormal(0, 1, dim) + rng.normal(0, 3, dim)
    x[:, 7] = 2.5  # a constant column
    x = np.round(x, 3)
    z = StandardScaler().fit_transform(x)
    cases = []
    for name, c, balanced in (("plain", 1.0, False), ("strong", 0.01, False), ("balanced", 0.1, True)):
        model = LogisticRegression(C=c, tol=1e-10, max_iter=100000, class_weight="balanced" if balanced else None)
        model.fit(z, y)
        w = np.ones(rows)
        if balanced:
            w *= (rows / (classes * np.bincount(y)))[y]
        p = model.predict_proba(z)
        ce = -(w * np.log(p[np.arange(rows), y])).sum() / w.sum()
        cases.append({
            "name": name, "c": c, "balanced": balanced,
            "loss": ce + (model.coef_ ** 2).sum() / (2 * c * w.sum()),
            "weight": model.coef_.tolist(), "bias": model.intercept_.tolist(),
            "predictions": model.predict(z).tolist(), "probabilities": np.round(p[:20], 9).tolist(),
        })
    write("head", "sklearn.json", {"rows": rows, "dim": dim, "classes": classes, "x": x.ravel().tolist(), "y": y.tolist(), "cases": cases})


def adam(steps=10, batch=8, dim=12, classes=5, rate=0.01):
    torch.manual_seed(3)
    layer = torch.nn.Linear(dim, classes)
    x = torch.round(torch.randn(steps, batch, dim), decimals=3)
    y = torch.randint(0, classes, (steps, batch))
    optimizer = torch.optim.Adam(layer.parameters(), lr=rate)
    first = layer.weight.tolist(), layer.bias.tolist()
    losses = []
    for i in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(x[i]), y[i])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    write("fit", "adam.json", {"batch": batch, "dim": dim, "classes": classes, "rate": rate, "x": x.flatten(1).tolist(), "y": y.tolist(),
                        "weight": first[0], "bias": first[1], "losses": losses,
                        "final_weight": layer.weight.tolist(), "final_bias": layer.bias.tolist()})


if __name__ == "__main__":
    regression()
    adam()
