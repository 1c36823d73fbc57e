#!/usr/bin/env python3
"""Writes the first faces of FER2013 as a folder of PNG files, split/class/name, for the checks that want few and real ones.

    python scripts/few_faces.py fer2013.tar.gz faces 400     # three quarters are train, the others val
"""
import csv
import pathlib
import sys
import tarfile

from PIL import Image

NAMES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def rows(path):
    if path.endswith(".csv"):
        yield from csv.reader(open(path, newline=""))
        return
    with tarfile.open(path, "r|gz") as tar:
        for member in tar:
            if member.name.endswith("fer2013.csv"):
                yield from csv.reader(line.decode() for line in tar.extractfile(member))
                return


def main(source, out, n):
    for i, (label, pixels, *_) in enumerate(rows(source)):
        if i > n:
            return
        if i == 0:  # the header
            continue
        folder = pathlib.Path(out) / ("val" if i % 4 == 0 else "train") / NAMES[int(label)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.frombytes("L", (48, 48), bytes(map(int, pixels.split()))).save(folder / f"{i:05d}.png")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
