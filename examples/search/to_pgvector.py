"""Loads a Parquet file of embeddings into PostgreSQL with pgvector, and finds the rows nearest to a photo's.

    graft embeddings export store --taps cls --out faces.parquet           # or graft extract --data … --out faces.parquet
    graft extract --data photos --model backbone.onnx --out photo.parquet  # the photo, by the same backbone
    pip install pyarrow "psycopg[binary]" pgvector
    python to_pgvector.py "dbname=faces" faces.parquet photo.parquet
"""
import json
import sys

import psycopg
import pyarrow.parquet as pq
from pgvector.psycopg import register_vector


def load(db, path):
    """Makes the table faces of the file's rows; the file says how wide they are, and by which backbone."""
    file = pq.ParquetFile(path)
    width = file.schema_arrow.field("features").type.list_size
    backbone = json.loads(file.metadata.metadata[b"graft"])["backbone"]["sha256"]
    db.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(db)
    db.execute(f"CREATE TABLE faces (id text PRIMARY KEY, split text, label text, content_key text, features vector({width}))")
    db.execute(f"COMMENT ON TABLE faces IS 'backbone {backbone}'")
    with db.cursor().copy("COPY faces FROM STDIN WITH (FORMAT BINARY)") as copy:
        copy.set_types(["text", "text", "text", "text", "vector"])
        for batch in file.iter_batches():
            columns = [batch[c].to_pylist() for c in ("id", "split", "label_name", "content_key")]
            vectors = batch["features"].flatten().to_numpy().reshape(-1, width)
            for *words, vector in zip(*columns, vectors):
                copy.write_row([*words, vector])
    # Of cosine distances, as graft embeddings search has them. An index of this kind is approximate.
    db.execute("CREATE INDEX ON faces USING hnsw (features vector_cosine_ops)")
    return backbone


def main(url, faces, photo):
    with psycopg.connect(url) as db:
        backbone = load(db, faces)
        asked = pq.ParquetFile(photo)
        if json.loads(asked.metadata.metadata[b"graft"])["backbone"]["sha256"] != backbone:
            sys.exit(f"{photo} and {faces} are of different backbones")
        vector = asked.read()["features"][0].values.to_numpy()
        db.execute("SET LOCAL enable_indexscan = off")  # exact; leave this out where a million rows have to be fast
        for row in db.execute("SELECT 1 - (features <=> %s), label, split, id FROM faces ORDER BY features <=> %s LIMIT 10", (vector, vector)):
            print("%.6f\t%s\t%s\t%s" % row)


if __name__ == "__main__":
    main(*sys.argv[1:])
