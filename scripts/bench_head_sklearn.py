#!/usr/bin/env python3
"""Times graft's logistic regression against scikit-learn's on the same features, in turns, in one run.

    python scripts/bench_head_sklearn.py [--rows 28709 --dim 768 --c 0.01 --threads 1,2 --rounds 3]

Needs numpy, scikit-learn (1.9 was measured), threadpoolctl and Go. The features are drawn to be like a vision transformer's:
correlated columns, a spectrum that decays as a power, columns of very different mean and scale, seven unequal classes
and labels that no classifier predicts fully. scikit-learn gets the features already standardised, in float32, which is
its faster; where graft has several threads, scikit-learn's faster of one and as many counts, because those of OpenBLAS wait
for each other on a busy machine. graft standardises by itself, in a new process each time, and runs to its own tolerance.

All losses are one function, computed here in float64 from the weights of either side: mean cross-entropy plus
||W||²/(2·C·n). Of scikit-learn the weights of each evaluation are kept, with the time. Before a ratio is printed, the
first evaluation's loss must be the logarithm of 7, the weights of the result must be among those kept, and both sides
must end within 1e-4 of the least loss found. Two ratios are given: to the moment at which scikit-learn is first within
1e-4 of that loss, as if it knew when to stop, and to its own end.
"""
import json
import math
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

    def fit(self, threads):
        """Seconds and weights of one fit."""
        common.run([self.test, "-test.run", "^TestTimeAgainstSklearn$"], threads, GRAFT_HEAD_BENCH=self.folder)
        result = json.loads((self.folder / "result.json").read_text())
        return result["seconds"], np.column_stack([np.reshape(result["weights"], (CLASSES, -1)), result["bias"]])


def compare(args, threads, folder):
    """The objective, and the fits of all rounds: scikit-learn's, graft's seconds and weights, each by number of threads."""
    x, y = features(args.rows, args.dim, args.seed)
    z = StandardScaler().fit_transform(x)
    graft = Graft(folder, x, y, args.c)
    turns = [lambda t=t: {("scikit-learn", t): Fit(z, y, args.c, t)} for t in sorted({1, *threads})]
    turns += [lambda t=t: {("graft", t): graft.fit(t)} for t in threads]
    exact = Objective(StandardScaler().fit_transform(x.astype(np.float64)), y, args.c)
    return exact, common.alternate(args.rounds, *turns)


def rates(objective, fits):
    """Fits a second of a round by name, threads and moment, after all have been found to reach the same loss."""
    ends = {key: objective(fit.weights if isinstance(fit, Fit) else fit[1]) for key, fit in fits.items()}
    optimum, line = min(ends.values()), {}
    for (name, threads), fit in fits.items():
        who = f"{name}, threads {threads}"
        common.agree(f"{who}: loss at its end", ends[name, threads], optimum, LIMIT)
        if name == "graft":
            line[name, threads] = 1 / fit[0]
            print(f"{who}: {fit[0]:.3f} s")
            continue
        common.agree(f"{who}: loss of the first evaluation", objective(fit.seen[0][1]), math.log(CLASSES), 1e-9)
        near, evaluations = fit.reached(objective, optimum + LIMIT)
        line |= {("near", threads): 1 / near, ("end", threads): 1 / fit.seconds}
        print(f"{who}: {near:.2f} s and {evaluations} evaluations to within {LIMIT:g}, {fit.seconds:.2f} s and {len(fit.seen)} to its end")
    return line


def main():
    args = common.arguments(__doc__, rows=28709, dim=768, c=0.01, seed=1, threads="1,2").parse_args()
    threads = common.numbers(args.threads)
    with common.workplace() as folder:
        objective, fits = compare(args, threads, folder)
    table = [rates(objective, each) for each in fits]

    def against(moment):
        """Seconds and ratios for each number of threads, beside scikit-learn's faster of one and as many."""
        best = [max({1, t}, key=lambda n: common.median(table, (moment, n))) for t in threads]
        seconds = common.listed(f"{1 / common.median(table, (moment, n)):.1f}" for n in best)
        return seconds, common.listed(common.ratio(table, (moment, n), ("graft", t)) for n, t in zip(best, threads))

    (near, faster), (end, much_faster) = against("near"), against("end")
    ours = common.listed(f"{1 / common.median(table, ('graft', t)):.2f}" for t in threads)
    common.write(args.json, [common.row(
        f"head on {args.rows:,}×{args.dim}, {common.on(threads)} ({ours} s)",
        f"{common.versions('scikit-learn')} L-BFGS, float32, its faster of one thread and as many, until within {LIMIT:g} of the same loss "
        f"({near} s), and to its own end ({end} s): `scripts/bench_head_sklearn.py`",
        f"{faster}, and {much_faster} times as fast")])


if __name__ == "__main__":
    main()
