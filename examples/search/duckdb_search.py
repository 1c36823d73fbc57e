"""The rows of a Parquet file of embeddings that are nearest to a photo's, by DuckDB: nothing is loaded, the file is the table.

    pip install duckdb
    python duckdb_search.py faces.parquet photo.parquet       # made as to_pgvector.py says
"""
import sys

import duckdb


def main(faces, photo):
    width = duckdb.sql("SELECT len(features) FROM read_parquet($f) LIMIT 1", params={"f": photo}).fetchall()[0][0]
    for row in duckdb.sql(f"""
            SELECT array_cosine_similarity(f.features::FLOAT[{width}], p.features::FLOAT[{width}]) AS cosine, f.label_name, f.split, f.id
            FROM read_parquet($faces) f, (FROM read_parquet($photo) LIMIT 1) p ORDER BY cosine DESC, f.id LIMIT 10""",
                          params={"faces": faces, "photo": photo}).fetchall():
        print("%.6f\t%s\t%s\t%s" % row)


if __name__ == "__main__":
    main(*sys.argv[1:])
