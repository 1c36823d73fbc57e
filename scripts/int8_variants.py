"""Ways to compute a vision transformer's linear layers in int8, compared.

    python scripts/int8_variants.py vit_tiny.onnx --data fer2013.csv [--int8 vit_tiny.int8.onnx] [--images 200]

Takes a float32 file of `graft model export` and rewrites it in several ways; --int8 adds graft's own
(`graft model export --precision int8`). For each: the time of one batch of 8 on one thread (processor
time, alternating, as a ratio to float32), the cosine of `cls` to float32 over the images, and how far the
features of an image alone are from those in a batch of 8. Runs by hand; needs onnx, onnxruntime, numpy.
"""

import argparse
import csv
import io
import itertools
import sys
import tarfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

KINDS = ("qkv", "proj", "fc1", "fc2")
BLOCK = 64  # inputs that share a scale in MatMulNBits


def faces(path, n):
    """n faces of fer2013.csv, evenly spread: uint8 [n,1,48,48]."""
    if path.endswith(".tar.gz"):
        tar = tarfile.open(path)
        member = next(m for m in tar if m.name.endswith("fer2013.csv"))
        text = io.TextIOWrapper(tar.extractfile(member))
    else:
        text = open(path)
    rows = list(itertools.islice(csv.reader(text), 1, None))
    rows = [rows[i] for i in np.linspace(0, len(rows) - 1, n).astype(int)]
    return np.stack([np.array(r[1].split(), np.uint8).reshape(1, 48, 48) for r in rows])


class Rewriter:
    """Replaces the products of a model; modes holds one for each kind of layer."""

    def __init__(self, path, modes, smooth):
        self.model, self.smooth, self.nodes, self.added = onnx.load(path), smooth, [], {}
        graph = self.model.graph
        weights = {t.name: t for t in graph.initializer}
        for node in list(graph.node):
            name = node.input[1] if len(node.input) > 1 else ""
            kind = name.split(".")[2] if name.startswith("blocks.") and node.op_type == "MatMul" and name in weights else None
            mode = modes.get(kind, "float")
            if mode == "float":
                self.nodes.append(node)
            else:
                getattr(self, mode)(node, numpy_helper.to_array(weights[name]).astype(np.float64))
        del graph.node[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in self.added.items())
        self.model.opset_import[0].version = 21
        self.model.ir_version = 10

    def op(self, op, inputs, out, **attrs):
        self.nodes.append(helper.make_node(op, inputs, out if isinstance(out, list) else [out], **attrs))
        return out

    def const(self, name, value):
        self.added[name] = np.asarray(value)
        return name

    def ints(self, p, w):
        scale = np.maximum(np.abs(w).max(0) / 127, 1e-30)
        return self.const(p + "q", np.rint(w / scale).astype(np.int8)), self.const(p + "s", scale.astype(np.float32))

    def tensor(self, node, w, x=None):
        """One scale for the whole batch: DynamicQuantizeLinear."""
        p = node.output[0] + "."
        q, s = self.ints(p, w)
        self.op("DynamicQuantizeLinear", [x or node.input[0]], [p + "x", p + "xs", p + "xz"])
        self.op("MatMulInteger", [p + "x", q, p + "xz"], p + "i")
        self.op("Cast", [p + "i"], p + "f", to=onnx.TensorProto.FLOAT)
        self.op("Mul", [p + "f", self.op("Mul", [p + "xs", s], p + "ss")], node.output[0])

    def smoothed(self, node, w):
        """The same after a scale per channel that moves outliers into the weights (SmoothQuant, α ½)."""
        p = node.output[0] + "."
        by = np.sqrt(np.maximum(self.smooth[node.input[0]], 1e-5) / np.maximum(np.abs(w).max(1), 1e-5))
        x = self.op("Div", [node.input[0], self.const(p + "by", by.astype(np.float32))], p + "smooth")
        self.tensor(node, w * by[:, None], x)

    def token(self, node, w):
        """A symmetric scale per token."""
        p = node.output[0] + "."
        q, s = self.ints(p, w)
        top = self.op("ReduceMax", [self.op("Abs", [node.input[0]], p + "a"), self.const("last", np.array([-1]))], p + "m", keepdims=1)
        unit = self.op("Div", [node.input[0], top], p + "u")
        step, zero = self.const("step", np.float32(1 / 127)), self.const("zero", np.uint8(128))
        x = self.op("DequantizeLinear", [self.op("QuantizeLinear", [unit, step, zero], p + "x"), step, zero], p + "xf")
        y = self.op("MatMul", [x, self.op("DequantizeLinear", [q, s], p + "w", axis=1)], p + "y")
        self.op("Mul", [y, top], node.output[0])

    def blocks(self, node, w):
        """A scale per token and block of inputs: what ONNX Runtime fuses into MatMulNBits."""
        p = node.output[0] + "."
        parts = w.reshape(len(w) // BLOCK, BLOCK, -1)
        scale = np.maximum(np.abs(parts).max(1) / 127, 1e-30)
        q = self.const(p + "q", np.rint(parts / scale[:, None]).astype(np.int8).reshape(w.shape))
        s = self.const(p + "s", scale.astype(np.float32))
        self.op("MatMul", [node.input[0], self.op("DequantizeLinear", [q, s], p + "w", axis=0, block_size=BLOCK)], node.output[0])


def session(model):
    o = ort.SessionOptions()
    o.intra_op_num_threads, o.log_severity_level = 1, 3
    return ort.InferenceSession(model if isinstance(model, str) else model.SerializeToString(), o, providers=["CPUExecutionProvider"])


def largest(path, pixels):
    """The largest magnitude of each channel of what enters fc2."""
    model = onnx.load(path)
    names = [n.input[0] for n in model.graph.node if n.op_type == "MatMul" and n.input[1].endswith("fc2.weight")]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    return {n: np.abs(v).max((0, 1)) for n, v in zip(names, session(model).run(None, {"pixels": pixels}))}


def features(s, pixels, batch):
    return np.concatenate([s.run(["cls"], {"pixels": pixels[i : i + batch]})[0] for i in range(0, len(pixels), batch)])


def cosine(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("model")
    args.add_argument("--data", required=True)
    args.add_argument("--int8")
    args.add_argument("--images", type=int, default=200)
    args.add_argument("--rounds", type=int, default=15)
    a = args.parse_args()
    pixels = faces(a.data, a.images)
    smooth = largest(a.model, pixels[:32])
    variants = {
        "all per tensor": ("tensor",) * 4,
        "fc2 in float32": ("tensor",) * 3 + ("float",),
        "fc2 smoothed, per tensor": ("tensor",) * 3 + ("smoothed",),
        "fc2 per token, others per tensor": ("tensor",) * 3 + ("token",),
        "all per token": ("token",) * 4,
        "MatMulNBits, blocks of 64": ("blocks",) * 4,
    }
    sessions = {"float32": session(a.model)}
    sessions |= {k: session(Rewriter(a.model, dict(zip(KINDS, v)), smooth).model) for k, v in variants.items()}
    if a.int8:
        sessions["graft's"] = session(a.int8)
    seconds = {k: [] for k in sessions}
    for _ in range(a.rounds):
        for k, s in sessions.items():
            start = time.thread_time()
            s.run(["cls"], {"pixels": pixels[:8]})
            seconds[k].append(time.thread_time() - start)
    want = features(sessions["float32"], pixels, 8)
    print(f"onnxruntime {ort.__version__}, {len(pixels)} images")
    print("variant | speed | mean cosine | least | alone against in a batch")
    for k, s in sessions.items():
        got, alone = features(s, pixels, 8), features(s, pixels[:32], 1)
        apart = np.linalg.norm(got[:32] - alone, axis=1) / np.linalg.norm(alone, axis=1)
        c = cosine(got, want)
        ratio = np.median(seconds["float32"]) / np.median(seconds[k])
        print(f"{k} | {ratio:.2f} | {c.mean():.4f} | {c.min():.4f} | {apart.max():.1e}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
