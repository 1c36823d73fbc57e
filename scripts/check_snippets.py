"""Whether the programs that graft export --snippets writes give graft's probabilities on a photograph.

    python scripts/check_snippets.py FOLDER PHOTO… [--graft bin/graft]   (scripts/check_snippets brings all that it needs)

For each ONNX file in FOLDER that has programs beside it, runs them: Python's here, the page in headless Chromium, and Go's in
a module of its own that takes graft's from this folder. Prints the largest difference to graft predict of a class's
probability, and fails on more than 1e-3; of a JPEG, whose decoders round differently, on more than 1e-2. Needs numpy,
onnxruntime, pillow; node, go.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile

MOST = {"lossless": 1e-3, "JPEG": 1e-2}


def output(args, **kw):
    done = subprocess.run(args, capture_output=True, text=True, **kw)
    if done.returncode != 0:
        sys.exit(f"{' '.join(args)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def rows(text):
    """path, probability, label a line: what the programs print."""
    out = {}
    for line in text.splitlines():
        path, p, label = line.split("\t")
        out.setdefault(path, {})[label] = float(p)
    return out


def predicted(graft, model, photos, classes):
    """What graft says, of the CPU."""
    text = output([graft, "predict", "-q", model, *photos, "--provider", "cpu", "--csv", "-"])
    return {r["image"]: {k: float(r["p_" + k]) for k in classes} for r in csv.DictReader(text.splitlines())}


def run_go(program, photos, root):
    with tempfile.TemporaryDirectory() as work:
        with open(program) as f, open(os.path.join(work, "main.go"), "w") as g:
            g.write(f.read())
        for name in ("go.mod", "go.sum"):  # the versions that graft is tested with
            with open(os.path.join(root, name)) as f, open(os.path.join(work, name), "w") as g:
                g.write(f.read())
        for edit in ("-module=example.org/classify", "-require=graft@v0.0.0", f"-replace=graft={root}"):
            output(["go", "mod", "edit", edit], cwd=work)
        binary = os.path.join(work, "classify")
        output(["go", "build", "-mod=mod", "-o", binary, "main.go"], cwd=work)
        return rows(output([binary, *photos], cwd=os.path.dirname(program)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--graft", default="bin/graft")
    args = parser.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    photos, off = [os.path.abspath(p) for p in args.photos], False
    print("| file | photograph | Python | browser | Go |\n|---|---|---|---|---|")
    for name in sorted(n for n in os.listdir(args.folder) if n.endswith(".onnx")):
        base = os.path.join(os.path.abspath(args.folder), name.removesuffix(".onnx"))
        if not os.path.exists(base + ".py"):
            continue
        classes = open(base + ".labels.txt").read().split("\n")[:-1]
        want = predicted(os.path.abspath(args.graft), base + ".onnx", photos, classes)
        page = json.loads(output(["node", os.path.join(root, "scripts/check_snippets.mjs"), base + ".html", *photos]))
        found = [rows(output([sys.executable, base + ".py", *photos])), page, run_go(base + ".go", photos, root)]
        for p in photos:
            kind = "JPEG" if p.endswith((".jpg", ".jpeg")) else "lossless"
            apart = [max(abs(got[p][k] - want[p][k]) for k in classes) for got in found]
            print(f"| {name} | {kind} | " + " | ".join(f"{d:.1e}" for d in apart) + " |", flush=True)
            off = off or not max(apart) <= MOST[kind]
    if off:
        sys.exit(f"further apart than {MOST}")


if __name__ == "__main__":
    main()
