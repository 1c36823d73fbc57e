"""Write the fixtures of graft/preprocess/dataset: small sets as numpy and pyarrow write them.

Run by hand with numpy and pyarrow:

    python scripts/fixtures_datasets.py preprocess/dataset/testdata

Pixel (c, y, x) of image i of every set is 40*i + 20*c + 5*y + x; what else is expected stands
in preprocess/dataset/arrays_test.go.
"""

import json
import pathlib
import struct
import sys
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def image(i, c):
    """[c,4,5] uint8"""
    k, y, x = np.mgrid[0:c, 0:4, 0:5]
    return (40 * i + 20 * k + 5 * y + x).astype(np.uint8)


def png(im):
    """A gray image [1,h,w] as PNG."""
    _, h, w = im.shape
    rows = b"".join(b"\0" + im[0, y].tobytes() for y in range(h))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def parquet(path, indices, labels, features):
    """A table as Hugging Face's datasets write it, in row groups of two."""
    table = pa.table(
        {
            "image": pa.array([{"bytes": png(image(i, 1)), "path": f"{i}.png"} for i in indices],
                              pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "label": pa.array(labels, pa.int64() if not isinstance(labels[0], str) else pa.string()),
        }
    )
    if features:
        info = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": features, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pq.write_table(table, path, row_group_size=2)


def main(out):
    (out / "hf" / "data").mkdir(parents=True, exist_ok=True)
    names = ["wolf", "ant", "cow"]
    parquet(out / "hf/data/train-00000-of-00002.parquet", [0, 1, 2], [0, 1, 2], names)
    parquet(out / "hf/data/train-00001-of-00002.parquet", [3, 4], [1, 0], names)
    parquet(out / "hf/data/test-00000-of-00001.parquet", [5], [2], names)
    parquet(out / "plain.parquet", [0, 1, 2, 3], [10, 9, 10, 9], None)
    parquet(out / "text.parquet", [0, 1], ["dog", "cat"], None)

    hwc = np.stack([image(i, 3).transpose(1, 2, 0) for i in range(3)])
    chw = np.stack([image(i, 3) for i in range(2)])
    gray = np.stack([image(i, 1)[0] for i in range(4)])
    (out / "npy").mkdir(exist_ok=True)
    np.save(out / "npy/x_train.npy", hwc)
    np.save(out / "npy/y_train.npy", np.array([10, 9, 10]))
    np.save(out / "npy/x_test.npy", chw)
    np.save(out / "npy/y_test.npy", np.array([[9], [10]], np.uint8))
    (out / "named").mkdir(exist_ok=True)
    np.save(out / "named/faces.npy", gray)
    np.save(out / "named/faces_labels.npy", np.array(["sad", "happy", "sad", "fröhlich"]))
    np.savez_compressed(out / "med.npz", train_images=hwc, train_labels=np.array([[0], [1], [0]], np.uint8),
                        val_images=gray[:2, :, :, None], val_labels=np.array([[1], [0]], np.int32))
    np.savez(out / "pair.npz", x=gray, y=np.array([1.0, 0.0, 1.0, 0.0]))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
