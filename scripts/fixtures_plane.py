"""Writes report/testdata/plane.json: rows, and what scikit-learn's PCA makes of them.

python scripts/fixtures_plane.py   (numpy, scikit-learn)
"""
import json
import pathlib

import numpy as np
from sklearn.decomposition import PCA

rng = np.random.default_rng(7)
x = (rng.normal(size=(24, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=5)).astype(np.float32)
pca = PCA(n_components=2, svd_solver="full").fit(x.astype(np.float64))
at = pca.transform(x.astype(np.float64))
# Signs are a convention: of each component the largest element is positive.
signs = np.sign(pca.components_[np.arange(2), np.abs(pca.components_).argmax(axis=1)])
out = pathlib.Path(__file__).parent.parent / "report/testdata/plane.json"
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps({"dim": 5, "x": [float(v) for v in x.ravel()], "at": (at * signs).tolist(),
                           "share": pca.explained_variance_ratio_.tolist()}) + "\n")
