#!/usr/bin/env python3
"""Times graft's logistic regression against scikit-learn's on the same features, in one run.

    python scripts/bench_head_sklearn.py [--rows 28709 --dim 768 --c 0.01 --runs 3]

Needs numpy, scikit-learn (1.2 was measured) and Go. The features are drawn to be like a vision transformer's:
correlated columns, a spectrum that decays as a power, columns of very different mean and scale, seven unequal classes
and labels that no classifier predicts fully. Both sides get all cores. scikit-learn gets the features already
standardised, in float32 and in float64, and its clock stops as soon as its loss is within 1e-4 of the optimum. graft
standardises by itself and runs to its own tolerance.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

# OpenBLAS reads these at start; a forced core type would slow scikit-learn down.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import numpy as np
from sklearn.linear_model import LogisticRegression, _logistic
from sklearn.preprocessing import StandardScaler


def features(rows, dim, seed):
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((rows, dim), dtype=np.float32)
    spectrum = (1 + np.arange(dim, dtype=np.float32)) ** -0.8
    weights = rng.standard_normal((dim, 7)).astype(np.float32) * 6 * spectrum[:, None]
    logits = factors @ weights * 0.35 + np.log([0.14, 0.015, 0.14, 0.25, 0.17, 0.11, 0.17]).astype(np.float32)
    logits += rng.gumbel(size=logits.shape).astype(np.float32)
    labels = logits.argmax(1).astype(np.uint8)
    rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    x = (factors * spectrum) @ rotation.astype(np.float32)
    x = x * rng.lognormal(0, 1, dim) + rng.normal(0, 0.5, dim)
    return np.ascontiguousarray(x, dtype=np.float32), labels


def loss(model, x, y, c):
    """Mean cross-entropy plus ||W||²/(2·C·n), in float64."""
    z = x.astype(np.float64) @ model.coef_.T + model.intercept_
    z -= z.max(1, keepdims=True)
    ce = np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]
    return float(ce.mean() + (model.coef_.astype(np.float64) ** 2).sum() / (2 * c * len(y)))


class Watch:
    """Stands in for scipy.optimize where scikit-learn looks it up, and notes time and mean loss of each evaluation."""

    def __init__(self, rows):
        self.rows, self.seen, self.start = rows, [], time.perf_counter()

    def minimize(self, fun, x0, *args, **settings):
        def watched(*arguments):
            value, gradient = fun(*arguments)
            self.seen.append((time.perf_counter() - self.start, value / self.rows))
            return value, gradient

        return self.scipy.minimize(watched, x0, *args, **settings)

    def __enter__(self):
        self.scipy, _logistic.optimize = _logistic.optimize, self
        return self

    def __exit__(self, *_):
        _logistic.optimize = self.scipy

    def reached(self, target):
        """Seconds and evaluations until the loss was at most target."""
        return next(((t, i + 1) for i, (t, value) in enumerate(self.seen) if value <= target), (float("inf"), 0))


def fit(x, y, c):
    model = LogisticRegression(C=c, solver="lbfgs", max_iter=100000, tol=1e-4)
    with Watch(len(y)) as watch:
        model.fit(x, y)
    return model, watch, time.perf_counter() - watch.start


def graft(x, y, c, runs):
    with tempfile.TemporaryDirectory() as folder:
        x.tofile(os.path.join(folder, "x.f32"))
        y.tofile(os.path.join(folder, "y.u8"))
        with open(os.path.join(folder, "meta.json"), "w") as f:
            json.dump({"rows": x.shape[0], "dim": x.shape[1], "classes": 7, "c": c, "runs": runs}, f)
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        command = ["go", "test", "./finetune/head", "-run", "^TestTimeAgainstSklearn$", "-count=1"]
        done = subprocess.run(command, cwd=root, env=dict(os.environ, GRAFT_HEAD_BENCH=folder), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(done.stdout)
        with open(os.path.join(folder, "result.json")) as f:
            return json.load(f)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=28709)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--c", type=float, default=0.01, help="scikit-learn's inverse strength")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    x, y = features(args.rows, args.dim, args.seed)
    z32 = StandardScaler().fit_transform(x)
    z64 = StandardScaler().fit_transform(x.astype(np.float64))
    fits = [(name, *fit(z, y, args.c)) for _ in range(args.runs) for name, z in (("float64", z64), ("float32", z32))]
    optimum = min(loss(model, z64, y, args.c) for _, model, _, _ in fits)
    print(f"optimum {optimum:.6f}, accuracy {np.mean(fits[0][1].predict(z64) == y):.4f}")
    best = float("inf")
    for name, model, watch, seconds in fits:
        reached, evaluations = watch.reached(optimum + 1e-4)
        best = min(best, reached)
        print(f"scikit-learn {name}: {reached:.3f} s and {evaluations} evaluations to within 1e-4, "
              f"{seconds:.3f} s and {len(watch.seen)} to its end at {loss(model, z64, y, args.c):.6f}")
    ours = graft(x, y, args.c, args.runs)
    print(f"graft: {ours['seconds']:.3f} s, {ours['iterations']} iterations, {ours['evaluations']} evaluations, "
          f"loss {ours['loss']:.6f}, accuracy {ours['accuracy']:.4f}")
    print(f"ratio to scikit-learn's best: {best / ours['seconds']:.1f}")


if __name__ == "__main__":
    main()
