#!/usr/bin/env python3
"""Times graft at loading a FER2013 CSV against pandas and numpy, in turns: from text to labels and uint8 pixels.

    python scripts/bench_csv_pandas.py [--csv fer2013.csv --rounds 5]

Needs numpy, pandas (3.1 was measured), tar and Go. Without --csv the file is drawn: --rows (35,887) rows of random pixels.

    pandas   read_csv, then the fastest of three ways to split the pixels' column
    numpy    the whole file at once, its letters made blanks, through numpy.fromstring
    graft    preprocess/dataset's BenchmarkOpenReal, in a new process each time
    tar      `tar xzO` of the file packed, unpacking alone, against which graft reads the packed file

Before anything is timed, pixels and labels of pandas, of numpy, and of what `graft data convert` writes of the file it read
must be equal.
"""
import pathlib
import re

import bench_common as common

common.need("numpy", "pandas")

import time

import numpy as np
import pandas as pd

PIXELS = 48 * 48


def draw(path, rows):
    """Writes a file of FER2013's form, the last fifth of it test."""
    random = np.random.default_rng(1)
    words = np.array([str(v) for v in range(256)])
    with open(path, "w") as f:
        f.write("emotion,pixels,Usage\n")
        for row in range(rows):
            usage = "Training" if row < 0.8 * rows else "PublicTest" if row < 0.9 * rows else "PrivateTest"
            f.write(f"{random.integers(7)},{' '.join(words[random.integers(256, size=PIXELS)])},{usage}\n")


def by_fromstring(rows):
    return np.stack([np.fromstring(r, dtype=np.uint8, sep=" ") for r in rows])


def by_split(rows):
    return np.stack([np.array(r.split(), dtype=np.uint8) for r in rows])


def by_joined(rows):
    return np.fromstring(" ".join(rows), dtype=np.uint8, sep=" ").reshape(len(rows), -1)


def by_pandas(path, way):
    frame = pd.read_csv(path)
    return frame["emotion"].to_numpy(np.uint8), way(frame["pixels"])


def by_numpy(path):
    text = pathlib.Path(path).read_bytes()
    body = text[text.index(b"\n"):].translate(bytes(b if 48 <= b < 58 else 32 for b in range(256)))
    table = np.fromstring(body, dtype=np.uint8, sep=" ").reshape(-1, 1 + PIXELS)
    return table[:, 0], table[:, 1:]


def timed(function, *values):
    """Files a second."""
    start = time.perf_counter()
    labels, pixels = function(*values)
    assert len(labels) == len(pixels) and pixels.shape[1] == PIXELS and pixels.dtype == np.uint8
    return 1 / (time.perf_counter() - start)


def fastest(path):
    """The fastest way through pandas."""
    rates = {way: timed(by_pandas, path, way) for way in (by_fromstring, by_split, by_joined)}
    for way, rate in rates.items():
        print(f"pandas and {way.__name__}: {1 / rate:.2f} s")
    return max(rates, key=rates.get)


def graft(test, path):
    """Files a second."""
    out = common.run([test, "-test.run", "^$", "-test.bench", "OpenReal", "-test.benchtime", "1x"], GRAFT_FER2013=path)
    return 1e9 / float(re.search(r"([\d.]+) ns/op", out).group(1))


def check(binary, path, folder):
    """Compares what the three read. An empty difference is a difference of 0."""
    common.run([binary, "data", "convert", "--data", path, "--out", folder / "again.csv"])
    labels, pixels = by_pandas(path, by_joined)
    for name, (l, p) in (("graft", by_pandas(folder / "again.csv", by_joined)), ("numpy", by_numpy(path))):
        common.agree(f"rows of {name}", len(l), len(labels), 0)
        common.agree(f"labels and pixels that differ between {name} and pandas", int(np.sum(l != labels) + np.sum(p != pixels)), 0, 0)
    (folder / "again.csv").unlink()


def main():
    args = common.arguments(__doc__, csv="", rows=35887).parse_args()
    with common.workplace() as folder:
        path = pathlib.Path(args.csv).resolve() if args.csv else folder / "fer2013.csv"
        if not args.csv:
            draw(path, args.rows)
        check(common.build(folder), path, folder)
        test, packed = folder / "dataset.test", folder / "fer2013.tar.gz"
        common.run(["go", "test", "-c", "-o", test, "./preprocess/dataset"])
        common.run(["tar", "czf", packed, "-C", path.parent, path.name])
        way = fastest(path)

        def unpack():
            start = time.perf_counter()
            common.run(["sh", "-c", f"tar xzO -f {packed} >/dev/null"])
            return 1 / (time.perf_counter() - start)

        table = common.alternate(args.rounds, lambda: {"pandas": timed(by_pandas, path, way)}, lambda: {"numpy": timed(by_numpy, path)},
                                 lambda: {"graft": graft(test, path)}, lambda: {"tar": unpack()}, lambda: {"packed": graft(test, packed)})
        size = f"{path.stat().st_size / 1e6:.0f} MB" + ("" if args.csv else " of random pixels")

    def seconds(name):
        return f"{1 / common.median(table, name):.2f} s"

    common.write(args.json, [
        common.row(f"loading a FER2013 CSV, {size} ({seconds('graft')})",
                   f"{common.versions('pandas')}: read_csv, split, uint8 ({seconds('pandas')}), and {common.versions('numpy')} on the whole text "
                   f"({seconds('numpy')}): `scripts/bench_csv_pandas.py`",
                   f"{common.ratio(table, 'pandas')} and {common.ratio(table, 'numpy')} times as fast"),
        common.row(f"loading it from `.tar.gz` ({seconds('packed')})", f"`tar xzO`, unpacking alone ({seconds('tar')})",
                   f"{common.ratio(table, 'tar', 'packed')} times as fast")])


if __name__ == "__main__":
    main()
