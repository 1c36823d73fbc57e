"""Embeddings of a dataset in parts, with Ray Data: every part.parquet (image bytes, or paths) becomes part.embeddings.parquet.

    pip install "ray[data]" pyarrow
    python embed.py --model vit_b_16.onnx --taps cls --workers 4 parts/*.parquet

A part is one task, and one run of graft extract, which writes the file whole. The worker that dies takes its part's task with
it, and no more: Ray starts it again elsewhere, it goes on from what lies beside the file, and a part that is finished already is
left as it is. So the whole may be started again too. Parts, model and graft have to lie where all nodes see them.
"""
import argparse
import ctypes
import os
import signal
import subprocess
import sys

import ray


def end_with_worker():
    """What has Linux kill graft when the worker is killed: else it went on, and the next try found the part locked."""
    if sys.platform != "linux":
        return None
    libc, worker = ctypes.CDLL(None), os.getpid()

    def before_graft():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != worker:
            os._exit(1)
    return before_graft


def embed(row, graft, model, taps, threads):
    part = row["part"]
    out = part.removesuffix(".parquet") + ".embeddings.parquet"
    done = subprocess.run([graft, "extract", "--quiet", "--data", part, "--model", model, "--taps", taps, "--threads", str(threads), "--out", out],
                          capture_output=True, text=True, preexec_fn=end_with_worker())
    if done.returncode != 0:  # an error of the task, which no other try mends
        raise RuntimeError(f"{part}: graft extract ended with {done.returncode}: {done.stderr.strip()}")
    return {"part": part, "embeddings": out, "said": done.stdout.strip()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("parts", nargs="+")
    p.add_argument("--model", required=True)
    p.add_argument("--taps", default="cls")
    p.add_argument("--workers", type=int, default=2, help="parts at once")
    p.add_argument("--threads", type=int, default=1, help="cores of a part")
    p.add_argument("--graft", default="graft")
    a = p.parse_args()
    ray.data.DataContext.get_current().enable_progress_bars = False
    parts = [os.path.abspath(part) for part in a.parts if not part.endswith(".embeddings.parquet")]
    rows = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
    done = rows.map(embed, fn_args=(a.graft, os.path.abspath(a.model), a.taps, a.threads),
                    num_cpus=a.threads, concurrency=a.workers, max_retries=3)
    for row in sorted(done.take_all(), key=lambda row: row["part"]):
        print(row["said"])


if __name__ == "__main__":
    main()
