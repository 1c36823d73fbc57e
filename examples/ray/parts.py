"""Packs a folder of images, split/class/file, into Parquet files as engines keep them: id, image (the file's bytes), label, split.

    python parts.py photos parts 8        # parts/00000.parquet to 00007.parquet
"""
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def main(folder, out, n):
    root, out = pathlib.Path(folder), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(p for p in root.glob("*/*/*") if p.is_file())
    for part in range(n):
        mine = files[part::n]
        table = pa.table({
            "id": [p.relative_to(root).as_posix() for p in mine],
            "image": pa.array([p.read_bytes() for p in mine], pa.binary()),
            "label": [p.parts[-2] for p in mine],
            "split": [p.parts[-3] for p in mine],
        })
        pq.write_table(table, out / f"{part:05d}.parquet")
    print(f"{len(files)} images in {n} parts")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
