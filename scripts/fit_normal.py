#!/usr/bin/env python3
"""Fits the polynomial by which graph/engine/vec computes the normal distribution's tail, Φ(-x) = t·Q(t)·exp(-x²/2) with
t = 1/(1+p·x/√2): the largest error, divided by √Φ(-x), is as small as it gets. Prints p, Q's coefficients from the lowest
power and the error.

    pip install numpy scipy
    python scripts/fit_normal.py
"""

import numpy as np
from scipy.special import erfc, erfcx

DEGREE = 7
z = np.concatenate([np.linspace(0, 3, 900), np.linspace(3, 6, 200)])
weight = np.sqrt(erfc(z)) + 1e-4


def fit(p):
    """Lawson's method: least squares, weighted anew by the errors until the largest are even."""
    t = 1 / (1 + p * z)
    a = np.stack([t**i for i in range(1, DEGREE + 1)], 1) * (weight / erfcx(z))[:, None]
    w = np.ones(len(z))
    for _ in range(150):
        c, *_ = np.linalg.lstsq(a * np.sqrt(w)[:, None], weight * np.sqrt(w), rcond=None)
        error = np.abs(a @ c - weight)
        w *= error / error.max() + 1e-3
        w /= w.sum()
    return error.max(), p, c / 2


error, p, q = min((fit(p) for p in np.arange(0.2, 0.7, 0.02)), key=lambda f: f[0])
print(f"p = {p:.2f}\nQ = {', '.join(map(repr, map(float, q)))}\nerror {error:.2g}")
