#!/usr/bin/env python3
"""Times graft's logistic regression against scikit-learn's on the same features, in turns, in one run.

    python scripts/bench_head_sklearn.py [--rows 28709 --dim 768 --c 0.01 --rounds 3]

Needs numpy, scikit-learn (1.9 was measured), threadpoolctl and Go. The features are drawn to be like a vision transformer's:
correlated columns, a spectrum that decays as a power, columns of very different mean and scale, seven unequal classes
and labels that no classifier predicts fully. scikit-learn gets the features already standardised, in float32, which is
its faster; it is timed on all threads and on one, because those of OpenBLAS wait for each other on a busy machine, and the
faster counts. graft gets all threads, standardises by itself, in a new process each time, and runs to its own tolerance.

All losses are one function, computed here in float64 from the weights of either side: mean cross-entropy plus
||W||²/(2·C·n). Of scikit-learn the weights of each evaluation are kept, with the time. Before a ratio is printed, the
first evaluation's loss must be the logarithm of 7, the weights of the result must be among those kept, and both sides
must end within 1e-4 of the least loss found. Two ratios are given: to the moment at which scikit-learn is first within
1e-4 of that loss, as if it knew when to stop, and to its own end.
"""
import json
import math
import os
import time

import bench_common as common

common.need("numpy", "scikit-learn", "threadpoolctl")

import numpy as np
import threadpoolctl
from sklearn.linear_model import LogisticRegression, _logistic
from sklearn.preprocessing import StandardScaler

CLASSES, LIMIT = 7, 1e-4


def features(rows, dim, seed):
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((rows, dim), dtype=np.float32)
    spectrum = (1 + np.arange(dim, dtype=np.float32)) ** -0.8
    weights = rng.standard_normal((dim, CLASSES)).astype(np.float32) * 6 * spectrum[:, None]
    logits = factors @ weights * 0.35 + np.log([0.14, 0.015, 0.14, 0.25, 0.17, 0.11, 0.17]).astype(np.float32)
    logits += rng.gumbel(size=logits.shape).astype(np.float32)
    labels = logits.argmax(1).astype(np.uint8)
    rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    x = (factors * spectrum) @ rotation.astype(np.float32)
    x = x * rng.lognormal(0, 1, dim) + rng.normal(0, 0.5, dim)
    return np.ascontiguousarray(x, dtype=np.float32), labels


class Objective:
    """What both sides minimise, in float64, of weights [classes,dim+1] with the bias in the last column."""

    def __init__(self, z, y, c):
        self.z, self.y, self.strength = z, y, 1 / (2 * c * len(y))

    def __call__(self, weights):
        w = np.asarray(weights, dtype=np.float64)
        logits = self.z @ w[:, :-1].T + w[:, -1]
        logits -= logits.max(1, keepdims=True)
        cross_entropy = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(self.y)), self.y]
        return float(cross_entropy.mean() + self.strength * (w[:, :-1] ** 2).sum())


class Watch:
    """Stands in for scipy.optimize where scikit-learn looks it up, and notes time and weights of each evaluation. What
    scikit-learn's function returns is no matter: it has been the sum and the mean of the losses in different versions."""

    def __init__(self):
        self.seen, self.start = [], time.perf_counter()

    def minimize(self, fun, x0, *args, **settings):
        def watched(x, *arguments):
            result = fun(x, *arguments)
            self.seen.append((time.perf_counter() - self.start, x.reshape((CLASSES, -1), order="F").copy()))
            return result

        return self.scipy.minimize(watched, x0, *args, **settings)

    def __enter__(self):
        self.scipy, _logistic.optimize = _logistic.optimize, self
        return self

    def __exit__(self, *_):
        _logistic.optimize = self.scipy


class Fit:
    """One fit by scikit-learn."""

    def __init__(self, z, y, c, threads):
        model = LogisticRegression(C=c, solver="lbfgs", max_iter=100000, tol=1e-4)
        with threadpoolctl.threadpool_limits(threads), Watch() as watch:
            model.fit(z, y)
            self.seconds = time.perf_counter() - watch.start
        self.weights, self.seen = np.column_stack([model.coef_, model.intercept_]), watch.seen
        if not any(np.allclose(w, self.weights, rtol=1e-5, atol=1e-7) for _, w in self.seen):
            raise SystemExit(f"{len(self.seen)} evaluations were seen, but not that of scikit-learn's result: it no longer "
                             "minimises by scipy.optimize.minimize, or keeps its weights in another order")

    def reached(self, objective, target):
        """Seconds and evaluations until the loss was at most target."""
        at = common.reached([objective(w) for _, w in self.seen], target)
        return self.seen[at][0], at + 1


class Graft:
    """graft's half, TestTimeAgainstSklearn in finetune/head."""

    def __init__(self, folder, x, y, c):
        self.folder, self.test = folder, folder / "head.test"
        common.run(["go", "test", "-c", "-o", self.test, "./finetune/head"])
        x.tofile(folder / "x.f32")
        y.tofile(folder / "y.u8")
        meta = {"rows": x.shape[0], "dim": x.shape[1], "classes": CLASSES, "c": c}
        (folder / "meta.json").write_text(json.dumps(meta))

    def fit(self):
        """Seconds and weights of one fit."""
        common.run([self.test, "-test.run", "^TestTimeAgainstSklearn$"], GRAFT_HEAD_BENCH=self.folder)
        result = json.loads((self.folder / "result.json").read_text())
        return result["seconds"], np.column_stack([np.reshape(result["weights"], (CLASSES, -1)), result["bias"]])


def compare(args, folder):
    """The objective, and the fits of all rounds: scikit-learn's by number of threads, graft's seconds and weights."""
    x, y = features(args.rows, args.dim, args.seed)
    z = StandardScaler().fit_transform(x)
    graft = Graft(folder, x, y, args.c)
    turns = [lambda threads=threads: {threads: Fit(z, y, args.c, threads)} for threads in sorted({1, os.cpu_count()})]
    exact = Objective(StandardScaler().fit_transform(x.astype(np.float64)), y, args.c)
    return exact, common.alternate(args.rounds, *turns, lambda: {"graft": graft.fit()})


def rates(objective, fits):
    """Fits a second of each round, after both sides have been found to reach the same loss."""
    table = []
    for each in fits:
        seconds, weights = each.pop("graft")
        ends = {"graft": objective(weights)} | {f"scikit-learn, threads {n}": objective(fit.weights) for n, fit in each.items()}
        optimum = min(ends.values())
        for who, end in ends.items():
            common.agree(f"{who}: loss at its end", end, optimum, LIMIT)
        line = {"graft": 1 / seconds}
        for threads, fit in each.items():
            common.agree("loss of the first evaluation", objective(fit.seen[0][1]), math.log(CLASSES), 1e-9)
            near, evaluations = fit.reached(objective, optimum + LIMIT)
            print(f"scikit-learn, threads {threads}: {near:.2f} s and {evaluations} evaluations to within {LIMIT:g}, "
                  f"{fit.seconds:.2f} s and {len(fit.seen)} to its end; graft: {seconds:.3f} s")
            line |= {f"{threads} near": 1 / near, f"{threads} end": 1 / fit.seconds}
        table.append(line)
    return table


def main():
    args = common.arguments(__doc__, rows=28709, dim=768, c=0.01, seed=1).parse_args()
    with common.workplace() as folder:
        table = rates(*compare(args, folder))
    near, end = (max((name for name in table[0] if name.endswith(moment)), key=lambda name: common.median(table, name))
                 for moment in (" near", " end"))
    common.write(args.json, [common.row(
        f"head on {args.rows:,}×{args.dim}, all threads ({1 / common.median(table, 'graft'):.2f} s)",
        f"{common.versions('scikit-learn')} L-BFGS, float32, on one thread or all, whichever was faster, until within {LIMIT:g} of "
        f"the same loss ({1 / common.median(table, near):.1f} s), and to its own end ({1 / common.median(table, end):.1f} s): "
        "`scripts/bench_head_sklearn.py`",
        f"{common.ratio(table, near)} and {common.ratio(table, end)} times as fast")])


if __name__ == "__main__":
    main()
