"""Time pandas and numpy at loading a FER2013 CSV: read_csv, split, uint8.

The peer of preprocess/dataset's BenchmarkOpenReal. Run both one after the other
on the same machine:

    python scripts/bench_csv_pandas.py fer2013.csv
    GRAFT_FER2013=$PWD/fer2013.csv go test ./preprocess/dataset -run '^$' -bench OpenReal

Three ways of splitting are timed and the fastest counts.
"""

import argparse
import time

import numpy as np
import pandas as pd


def by_fromstring(rows):
    return np.stack([np.fromstring(r, dtype=np.uint8, sep=" ") for r in rows])


def by_split(rows):
    return np.stack([np.array(r.split(), dtype=np.uint8) for r in rows])


def by_joined(rows):
    return np.fromstring(" ".join(rows), dtype=np.uint8, sep=" ").reshape(len(rows), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    args = parser.parse_args()

    start = time.perf_counter()
    frame = pd.read_csv(args.csv)
    read = time.perf_counter() - start
    rows = frame["pixels"]
    print(f"pandas {pd.__version__}, numpy {np.__version__}: read_csv {read:.2f} s, {len(rows)} rows")

    best, reference = None, None
    for way in (by_fromstring, by_split, by_joined):
        start = time.perf_counter()
        pixels = way(rows)
        seconds = time.perf_counter() - start
        assert pixels.shape == (len(rows), 2304) and pixels.dtype == np.uint8
        assert reference is None or np.array_equal(reference, pixels)
        reference = pixels
        best = min(best or seconds, seconds)
        print(f"  {way.__name__}: {seconds:.2f} s, {read + seconds:.2f} s in all")
    print(f"fastest in all: {read + best:.2f} s")


if __name__ == "__main__":
    main()
