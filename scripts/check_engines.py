"""Whether what graft exports gives the same in other engines: a table of files and engines.

    python scripts/check_engines.py FOLDER [--graft bin/graft] [--only ENGINE,…]   (scripts/elsewhere brings all that it needs)

FOLDER holds ONNX files of graft; engines.md with the table is written there. Each file gets two images of random pixels, gray
and in colour where it takes both, of 48×48 and, where it takes any size, of 30×40 too. A cell is

  equal     every output is within the tolerance of ONNX Runtime's CPU provider: ‖a−b‖/‖b‖ ≤ 1e-4 in float32, 1e-2 in float16
            (rounded to eleven bits), 0.1 in int8 (numbers that round to other steps, as graft itself allows)
  refused   the engine said that it does not run the file; its reason stands below the table
  wrong     anything else; the script fails

Files in int8 are compared with the CPU provider as it is and, where its 8-bit sums saturate (x86 without VNNI), with the CPU
provider without its rewriting of graphs, which computes what the file says; which of them stands below the table.
Each engine runs in a process of its own. Needs numpy, onnx, onnxruntime, openvino, tract, pillow; node for browsers.
"""

import argparse
import csv
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "int8": 0.1}
EXACT, REFERENCE = "ONNX Runtime CPU without rewriting", "ONNX Runtime CPU"


def session(path, plain=False):
    import onnxruntime as ort

    options = ort.SessionOptions()
    if plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_onnxruntime(path, x, plain=False):
    s = session(path, plain)
    return dict(zip([o.name for o in s.get_outputs()], s.run(None, {"pixels": x})))


def run_openvino(path, x):
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled({"pixels": x})
    return {name: result[out] for out in compiled.outputs for name in out.names}


def run_tract(path, x):
    import onnx
    import tract

    model = tract.onnx().load(path)
    model.set_input_fact(0, ",".join(map(str, x.shape)) + ",u8")
    names = [o.name for o in onnx.load(path, load_external_data=False).graph.output]
    return dict(zip(names, [t.to_numpy() for t in model.into_model().into_runnable().run([x])]))


def graft_runner(provider):
    """graft as a user runs it: predict where there are classes, extract where there are features."""

    def run(path, x):
        from PIL import Image

        if x.shape[3] in (1, 3):
            x = x.transpose(0, 3, 1, 2)
        elif x.shape[2:] != (48, 48):
            return None  # photographs of other shapes are cut on the host: not the file's own affair
        with tempfile.TemporaryDirectory() as work:
            names = [os.path.join(work, f"{i}.png") for i in range(len(x))]
            for name, pixels in zip(names, x):
                Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(name)
            labels = path.removesuffix(".onnx") + ".labels.txt"
            if os.path.exists(labels):
                table = os.path.join(work, "answers.csv")
                command([GRAFT, "predict", "-q", path, *names, "--provider", provider, "--csv", table])
                rows = list(csv.DictReader(open(table)))
                classes = open(labels).read().split("\n")[:-1]
                return {"probabilities": np.array([[float(r["p_" + k]) for k in classes] for r in rows], np.float32)}
            listed = os.path.join(work, "list.csv")
            with open(listed, "w") as f:
                f.writelines(f"{name},a,train\n" for name in names)
            store = os.path.join(work, "store")
            command([GRAFT, "extract", "-q", "--data", "list:" + listed, "--model", path, "--taps", "all", "--out", store, "--provider", provider])
            taps = [d for d in os.listdir(store) if os.path.exists(os.path.join(store, d, "00000.npy"))]
            return {t: np.load(os.path.join(store, t, "00000.npy")).astype(np.float32) for t in taps}

    return run


def command(args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}")


ENGINES = {
    EXACT: lambda p, x: run_onnxruntime(p, x, plain=True),
    REFERENCE: run_onnxruntime,
    "graft cpu": graft_runner("cpu"),
    "graft go": graft_runner("go"),
    "graft webgpu": graft_runner("webgpu"),
    "graft cuda": graft_runner("cuda"),
    "OpenVINO": run_openvino,
    "tract": run_tract,
    "browser WASM": "wasm",
    "browser WebGPU": "webgpu",
}


def jobs_of(folder):
    """The runs: file, precision and pixels."""
    import onnx

    random, out = np.random.default_rng(7), []
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".onnx")):
        model = onnx.load(os.path.join(folder, name), load_external_data=False)
        about = {p.key: p.value for p in model.metadata_props}
        dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        whole = about.get("graft.whole_image") == "true"  # photographs [N,H,W,C]
        for channels in [dims[1]] if dims[1] else [1, 3]:
            for size in [(48, 48)] if dims[2] else [(48, 48), (60, 90) if whole else (30, 40)]:
                pixels = os.path.join(folder, f"{name}.{channels}.{size[0]}.npy")
                np.save(pixels, random.integers(0, 256, (1, *size, channels) if whole else (2, channels, *size), dtype=np.uint8))
                out.append({"file": os.path.join(folder, name), "precision": about.get("graft.precision") or "float32", "channels": channels,
                            "pixels": pixels, "outputs": [o.name for o in model.graph.output]})
    return out


def child(engine, jobs, out):
    """Runs an engine over all jobs and writes what came of each, after each: of an engine that dies the rest is missing."""
    results = []
    for i, job in enumerate(jobs):
        try:
            got = ENGINES[engine](job["file"], np.load(job["pixels"]))
            if got is not None:
                np.savez(f"{out}.{i}.npz", **got)
            results.append({"ran": got is not None})
        except Exception as e:  # whatever an engine throws is its refusal
            results.append({"refused": str(e)})
        with open(out, "w") as f:
            json.dump(results, f)


def run_engine(engine, jobs, work):
    """What came of each job: outputs, the words of a refusal, or None where the engine was not asked."""
    out = os.path.join(work, re.sub(r"\W+", "-", engine))
    listed = out + ".jobs"
    with open(listed, "w") as f:
        json.dump(jobs, f)
    kind = ENGINES[engine]
    here = os.path.dirname(os.path.abspath(__file__))
    args = ["node", os.path.join(here, "check_engines.mjs"), kind, listed, out] if isinstance(kind, str) else [sys.executable, os.path.abspath(__file__), "--child", engine, listed, out, "--graft", GRAFT]
    done = subprocess.run(args, capture_output=True, text=True)
    results = json.load(open(out)) if os.path.exists(out) else []
    answers = []
    for i, job in enumerate(jobs):
        r = results[i] if i < len(results) else {"died": f"the engine's process ended with {done.returncode}: {done.stderr[-400:]}"}
        if r.get("ran") and isinstance(kind, str):
            r["outputs"] = decoded(r["outputs"])
        elif r.get("ran"):
            r["outputs"] = dict(np.load(f"{out}.{i}.npz"))
        answers.append(r)
    return answers


def decoded(outputs):
    """What a browser's JSON holds."""
    return {k: np.array(v["data"], np.float32).reshape(v["dims"]) for k, v in outputs.items()}


def distance(got, want):
    """The largest ‖a−b‖/‖b‖ over the outputs that both have; infinite for other shapes and for no number."""
    common = [k for k in got if k in want]
    if not common:
        return np.inf
    worst = 0.0
    for k in common:
        if got[k].shape != want[k].shape:
            return np.inf
        d = float(np.linalg.norm(got[k] - want[k]) / np.linalg.norm(want[k]))
        worst = max(worst, d if np.isfinite(d) else np.inf)
    return worst


def judge(answer, job, reference, exact):
    """(verdict, distance, note) of one run."""
    if "refused" in answer:
        if "rest" not in answer:
            return "refused", None, answer["refused"]
        rest = decoded(answer["rest"])  # a browser leaves to WASM what WebGPU refuses
        d = min(distance(rest, want["outputs"]) for want in (reference, exact)[: 1 + (job["precision"] == "int8")])
        if d > TOLERANCE[job["precision"]]:
            return "wrong", d, "with what it refuses on WASM"
        return "refused", None, answer["refused"] + " With what it refuses on WASM it is equal."
    if "died" in answer:
        return "wrong", np.inf, answer["died"]
    d, note = distance(answer["outputs"], reference["outputs"]), answer.get("note", "")
    if job["precision"] == "int8":
        e = distance(answer["outputs"], exact["outputs"])
        if e < d:
            d, note = e, "the sums of the file itself"
    return ("equal" if d <= TOLERANCE[job["precision"]] else "wrong"), d, note


def table(jobs, verdicts, engines):
    """Markdown, and how many cells are wrong. Sizes of one file and number of channels share a row."""
    rows, notes, wrong = {}, [], 0
    for job in jobs:
        rows.setdefault((os.path.basename(job["file"]).removesuffix(".onnx"), job["precision"], job["channels"]), []).append(job)
    lines = ["| file | precision | pixels | " + " | ".join(engines) + " |", "|---" * (3 + len(engines)) + "|"]
    for (name, precision, channels), of in rows.items():
        cells = []
        for e in engines:
            found = [verdicts[e][id(j)] for j in of if verdicts[e][id(j)]]
            worst = max(found, key=lambda v: (["equal", "refused", "wrong"].index(v[0]), v[1] or 0)) if found else ("–", None, "")
            cell = worst[0] + (f" {worst[1]:.0e}" if worst[1] is not None else "")
            wrong += worst[0] == "wrong"
            if worst[2]:
                said = f"{e}: {' '.join(plain(worst[2]).split())[:400]}"
                if said not in notes:
                    notes.append(said)
                cell += f" ({notes.index(said) + 1})"
            cells.append(cell)
        lines.append(f"| {name} | {precision} | {'gray' if channels == 1 else 'colour'} | " + " | ".join(cells) + " |")
    return "\n".join(lines + [""] + [f"{i + 1}. {n}" for i, n in enumerate(notes)]) + "\n", wrong


def plain(text):
    """Without paths of this machine and what terminals colour."""
    return re.sub(r"(/[\w.+-]+){2,}/", "", re.sub(r"\x1b\[[0-9;]*m", "", text))


def versions():
    names = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("onnxruntime", "openvino", "tract"))
    web = os.path.join(os.environ.get("MODULES", "node_modules"), "onnxruntime-web", "package.json")
    if os.path.exists(web):
        names += f", onnxruntime-web {json.load(open(web))['version']}"
    for args in ([GRAFT, "version"], [os.environ.get("CHROMIUM", "chromium"), "--version"]):
        try:
            names += ", " + subprocess.run(args, capture_output=True, text=True).stdout.strip()
        except OSError:
            pass
    return names


def main():
    global GRAFT
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--graft", default="bin/graft")
    parser.add_argument("--only", help="engines, with commas between")
    parser.add_argument("--child", nargs=3)
    args = parser.parse_args()
    GRAFT = os.path.abspath(args.graft)
    if args.child:
        engine, jobs, out = args.child
        return child(engine, json.load(open(jobs)), out)
    engines = [e for e in ENGINES if not args.only or e in (EXACT, REFERENCE) or e in args.only.split(",")]
    if not shutil.which("nvidia-smi"):
        engines = [e for e in engines if e != "graft cuda"]
    jobs = jobs_of(args.folder)
    with tempfile.TemporaryDirectory() as work:
        answers = {}
        for e in engines:
            print(f"{e} …", file=sys.stderr, flush=True)
            answers[e] = run_engine(e, jobs, work)
    verdicts = {e: {} for e in engines}
    for i, job in enumerate(jobs):
        reference, exact = answers[REFERENCE][i], answers[EXACT][i]
        for e in engines:
            a = answers[e][i]
            asked = a.get("ran") is not False
            verdicts[e][id(job)] = judge(a, job, reference, exact) if asked else None
    text, wrong = table(jobs, verdicts, [e for e in engines if e not in (EXACT, REFERENCE)])
    text = f"{versions()}\n\n{text}"
    if "graft cuda" not in engines:
        text += "\nCUDA: not run\n"
    with open(os.path.join(args.folder, "engines.md"), "w") as f:
        f.write(text)
    print(text)
    if wrong:
        sys.exit(f"{wrong} cells are wrong")


if __name__ == "__main__":
    main()
