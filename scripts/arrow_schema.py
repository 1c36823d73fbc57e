#!/usr/bin/env python3
"""Writes Arrow's message of the columns of an exported parquet file (metadata ARROW:schema), as pyarrow 26 makes it:
pretrained/store/arrow.schema, with 0x7a6b5c4d in the place of the length of the lists, which graft puts the real one for, and
for its test pretrained/store/testdata/arrow_8.schema, of lists of 8.

    python scripts/arrow_schema.py
"""
import pathlib

import pyarrow as pa

LENGTH = 0x7A6B5C4D

STORE = pathlib.Path(__file__).parent.parent / "pretrained" / "store"


def message(length):
    features = pa.list_(pa.field("element", pa.float32(), nullable=False), length)
    columns = [("index", pa.int64()), ("id", pa.string()), ("split", pa.string()), ("label", pa.int32()), ("label_name", pa.string()),
               ("content_key", pa.string()), ("features", features)]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns]).serialize().to_pybytes()


assert message(LENGTH).count(LENGTH.to_bytes(4, "little")) == 1
(STORE / "arrow.schema").write_bytes(message(LENGTH))
(STORE / "testdata" / "arrow_8.schema").write_bytes(message(8))
