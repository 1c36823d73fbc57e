#!/usr/bin/env python3
"""Writes graph/testdata/operations.json and graph/engine/testdata/models.json: what PyTorch computes.

operations.json: for every case its inputs, output, the output's random gradient, and the gradients of the float inputs.
models.json: a small CNN and a small transformer block: weights, inputs, logits, loss, every gradient, and the losses of
ten optimiser steps. Run by hand, at the top of the repository, with PyTorch 1.13 or newer; given names, it computes
those cases anew and leaves the rest of operations.json as it is:

    python scripts/fixtures_graph.py [CASE...]
"""

import json
import math
import sys

import torch
import torch.nn.functional as F

RANDOM = torch.Generator().manual_seed(20240613)


def normal(*shape):
    return torch.randn(*shape, generator=RANDOM)


def positive(*shape):
    return torch.rand(*shape, generator=RANDOM) * 2 + 0.3


def apart(*shape):
    """Distinct values at least 0.03 apart and away from 0, so that finite differences meet no kink."""
    n = math.prod(shape)
    order = torch.randperm(n, generator=RANDOM).float()
    return ((order - n / 2) * 0.05 + 0.02).reshape(shape)


def indices(high, *shape):
    return torch.randint(0, high, shape, generator=RANDOM)


def conv_input_grad(dy, w):
    return torch.nn.grad.conv2d_input([2, 2, 7, 6], w, dy, stride=(2, 1), padding=(1, 0))


def conv_weight_grad(x, dy):
    return torch.nn.grad.conv2d_weight(x, [4, 2, 3, 2], dy, stride=(2, 1), padding=(1, 0))


def batch_norm(x, scale, bias, mean, variance):
    """Inference form, written out because PyTorch's own gives its running statistics no gradient."""
    scale, bias, mean, variance = (v[:, None, None] for v in (scale, bias, mean, variance))
    return scale * (x - mean) / (variance + 1e-5).sqrt() + bias


def batch_norm_training(x, scale, bias):
    return F.batch_norm(x, None, None, scale, bias, training=True, eps=1e-5)


def slice_of(x):
    return x[:, 1:4, 2:3]


def smoothed(logits):
    weights = torch.tensor([0.5, 2, 1, 1.5, 0.7]).to(logits)
    return F.cross_entropy(logits, torch.tensor([1, 0, 3, 4, 2, 2]), weight=weights, label_smoothing=0.1)


CASES = {
    "add": (lambda a, b: a + b, normal(2, 3, 4), normal(3, 1)),
    "sub": (lambda a, b: a - b, normal(4), normal(3, 4)),
    "mul": (lambda a, b: a * b, normal(2, 1, 4), normal(3, 1)),
    "div": (lambda a, b: a / b, normal(3, 4), positive(3, 1)),
    "neg": (lambda x: -x, normal(3, 4)),
    "exp": (torch.exp, normal(3, 40)),
    "log": (torch.log, positive(3, 4)),
    "sqrt": (torch.sqrt, positive(3, 4)),
    "tanh": (torch.tanh, normal(3, 4)),
    "erf": (torch.erf, normal(3, 4)),
    "relu": (torch.relu, apart(5, 7)),
    "gelu": (F.gelu, normal(3, 40)),
    "equal": (lambda x: torch.where(torch.tensor([0.0, 1, 2, 3]) == torch.tensor([0.0, 2, 2, 1]), x, x * 2), normal(3, 4)),
    "greater": (lambda a, b: torch.where(a > b, a, b * 2), apart(3, 4), apart(4) + 0.013),
    "greater_or_equal": (lambda a, b: torch.where(a >= b, a * 3, b), apart(3, 4), apart(3, 1) + 0.013),
    "less": (lambda a, b: torch.where(a < b, a, b * 2), apart(3, 4), apart(4) + 0.013),
    "less_or_equal": (lambda a, b: torch.where(a <= b, a, b * 2), apart(3, 4), apart(4) + 0.013),
    "matmul": (torch.matmul, normal(5, 7), normal(7, 3)),
    "matmul_transposed_a": (lambda a, b: a.mT @ b, normal(7, 5), normal(7, 3)),
    "matmul_transposed_b": (lambda a, b: a @ b.mT, normal(5, 7), normal(3, 7)),
    "matmul_transposed_both": (lambda a, b: a.mT @ b.mT, normal(2, 7, 5), normal(2, 3, 7)),
    "matmul_batched": (torch.matmul, normal(2, 3, 9, 8), normal(2, 3, 8, 7)),
    "matmul_broadcast": (torch.matmul, normal(2, 1, 4, 3), normal(3, 3, 5)),
    "matmul_shared": (torch.matmul, normal(2, 4, 3), normal(3, 5)),
    "reshape": (lambda x: x.reshape(4, 6) * 2, normal(2, 3, 4)),
    "transpose": (lambda x: x.permute(2, 0, 3, 1), normal(2, 3, 4, 5)),
    "expand": (lambda x: x.expand(2, 3, 4), normal(3, 1)),
    "concat": (lambda a, b, c: torch.cat([a, b, c], 1), normal(2, 1, 3), normal(2, 2, 3), normal(2, 3, 3)),
    "slice": (slice_of, normal(2, 5, 4)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1)), normal(2, 3, 4)),
    "gather": (lambda x, i: x[i], normal(5, 3), indices(5, 2, 4)),
    "scatter_rows": (lambda x, i: torch.zeros(6, 3).to(x).index_add(0, i, x), normal(8, 3), indices(6, 8)),
    "sum": (lambda x: x.sum((0, 2)), normal(3, 4, 5)),
    "sum_all": (lambda x: x.sum(), normal(3, 4, 5)),
    "sum_columns": (lambda x: x.sum(0), normal(9, 40)),
    "mean": (lambda x: x.mean(1, keepdim=True), normal(3, 4, 5)),
    "max": (lambda x: x.amax((0, 2)), apart(3, 4, 5)),
    "max_columns": (lambda x: x.amax(0), apart(9, 7)),
    "softmax": (lambda x: x.softmax(-1), normal(3, 4, 7) * 3),
    "log_softmax": (lambda x: x.log_softmax(-1), normal(5, 7) * 3),
    "layer_norm": (lambda x, s, b: F.layer_norm(x, [8], s, b, 1e-6), normal(3, 4, 8), normal(8), normal(8)),
    "batch_norm": (batch_norm, normal(2, 3, 4, 5), normal(3), normal(3), normal(3), positive(3)),
    "batch_norm_training": (batch_norm_training, normal(4, 3, 4, 5), normal(3), normal(3)),
    "batch_norm_conv": (
        lambda x, w, s, b: torch.relu(batch_norm_training(F.conv2d(x, w), s, b)),
        normal(5, 2, 6, 5), normal(4, 2, 3, 3), positive(4), normal(4)),
    "conv": (lambda x, w, b: F.conv2d(x, w, b), normal(2, 3, 6, 7), normal(4, 3, 3, 2), normal(4)),
    "conv_stride_pad": (
        lambda x, w: F.conv2d(x, w, None, (2, 3), (1, 2)), normal(3, 2, 7, 8), normal(8, 2, 3, 5)),
    "conv_point": (lambda x, w, b: F.conv2d(x, w, b, 2), normal(2, 3, 5, 5), normal(2, 3, 1, 1), normal(2)),
    "conv_blocks": (lambda x, w, b: F.conv2d(x, w, b, 1, 1), normal(18, 1, 4, 5), normal(7, 1, 3, 3), normal(7)),
    "conv_groups": (
        lambda x, w, b: F.conv2d(x, w, b, (1, 2), (2, 1), groups=2), normal(2, 6, 5, 7), normal(14, 3, 3, 2), normal(14)),
    "conv_depthwise": (
        lambda x, w, b: F.conv2d(F.pad(x, (0, 1, 1, 2)), w, b, 2, groups=3), normal(3, 3, 6, 6), normal(6, 1, 3, 3), normal(6)),
    "conv_dilated": (lambda x, w: F.conv2d(x, w, None, (1, 2), (2, 3), (2, 3)), normal(2, 3, 6, 7), normal(7, 3, 3, 2)),
    "conv_many_groups": (
        lambda x, w, b: F.conv2d(F.pad(x, (1, 0, 0, 1)), w, b, 1, 0, (1, 2), 4), normal(2, 4, 5, 6), normal(4, 1, 2, 3), normal(4)),
    "conv_input_grad": (conv_input_grad, normal(2, 4, 4, 5), normal(4, 2, 3, 2)),
    "conv_weight_grad": (conv_weight_grad, normal(2, 2, 7, 6), normal(2, 4, 4, 5)),
    "max_pool": (lambda x: F.max_pool2d(x, 2), apart(2, 3, 6, 5)),
    "max_pool_overlap": (lambda x: F.max_pool2d(x, 3, 2, 1), apart(2, 2, 7, 6)),
    "max_pool_uneven": (
        lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-math.inf), (3, 2), (2, 3), 0, (1, 2)), apart(2, 2, 7, 6)),
    "average_pool": (lambda x: F.avg_pool2d(x, 2), normal(2, 3, 6, 4)),
    "average_pool_overlap": (lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1)), normal(2, 2, 7, 6)),
    "average_pool_uneven": (lambda x: F.avg_pool2d(F.pad(x, (0, 1, 1, 0)), (3, 2), (2, 1)), normal(2, 2, 7, 6)),
    "cross_entropy": (smoothed, normal(6, 5)),
    "attention": (
        lambda q, k, v: (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ v,
        normal(2, 2, 5, 4), normal(2, 2, 6, 4), normal(2, 2, 6, 3)),
    "sigmoid": (torch.sigmoid, normal(3, 40) * 3),
    "swish": (F.silu, normal(3, 20) * 3),
    "quick_gelu": (lambda x: x * torch.sigmoid(1.702 * x), normal(3, 20) * 3),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), normal(3, 20) * 2),
    "maximum": (torch.maximum, apart(3, 4), apart(3, 1) + 0.013),
    "minimum": (torch.minimum, apart(3, 4), apart(4) + 0.013),
    "abs": (torch.abs, apart(5, 7)),
    "clip": (lambda x: torch.clamp(x, -0.31, 0.4), apart(5, 7)),
    "clip_above": (lambda x: torch.clamp(x, max=0.4), apart(5, 7)),
    "clip_below": (lambda x: torch.clamp(x, min=-0.31), apart(5, 7)),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), apart(5, 7)),
    "hard_sigmoid": (F.hardsigmoid, apart(5, 7) * 6),
    "hard_swish": (F.hardswish, apart(5, 7) * 6),
    "round": (torch.round, apart(5, 7) * 3),
    "pow": (lambda x: x**2.5, positive(3, 4)),
    "pow_powers": (lambda x: x**0.5 + x**2 + x**3 + 1 / x + x**-0.5 + x**0 + x**1 + x**1.5, positive(3, 4)),
}


def tensor(t, digits=9):
    return {"shape": list(t.shape), "data": [float(f"%.{digits}g" % v) for v in t.detach().flatten().tolist()]}


def exact(t):
    """The input as it is written, in float64, so that the results carry no rounding of float32."""
    if not t.is_floating_point():
        return t
    return torch.tensor(tensor(t, 6)["data"], dtype=torch.float64).reshape(t.shape)


def operation(f, *inputs):
    leaves = [exact(x).requires_grad_(x.is_floating_point()) for x in inputs]
    y = f(*leaves)
    dy = exact(torch.randn(y.shape, generator=RANDOM))
    y.backward(dy)
    return {
        "inputs": [tensor(x) for x in leaves],
        "output": tensor(y),
        "upstream": tensor(dy),
        "gradients": [tensor(x.grad) if x.is_floating_point() else None for x in leaves],
    }


def cnn(p, x):
    x = F.max_pool2d(torch.relu(F.conv2d(x, p["conv1.weight"], p["conv1.bias"])), 2)
    x = F.max_pool2d(torch.relu(F.conv2d(x, p["conv2.weight"], p["conv2.bias"], padding=1)), 2)
    x = torch.relu(F.linear(x.flatten(1), p["fc1.weight"], p["fc1.bias"]))
    return F.linear(x, p["fc2.weight"], p["fc2.bias"])


def block(p, x):
    n, t, d = x.shape
    x = x + p["position"]
    h = F.layer_norm(x, [d], p["norm1.weight"], p["norm1.bias"], 1e-5)
    q, k, v = (F.linear(h, p[name]).reshape(n, t, 2, d // 2).transpose(1, 2) for name in ("q", "k", "v"))
    heads = ((q @ k.mT / math.sqrt(d // 2)).softmax(-1) @ v).transpose(1, 2).reshape(n, t, d)
    x = x + F.linear(heads, p["out"])
    h = F.layer_norm(x, [d], p["norm2.weight"], p["norm2.bias"], 1e-5)
    x = x + F.linear(F.gelu(F.linear(h, p["mlp1.weight"], p["mlp1.bias"])), p["mlp2.weight"], p["mlp2.bias"])
    return F.linear(x.flatten(1), p["logits.weight"], p["logits.bias"])


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "adam_decay": lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01),
}


def losses(forward, start, x, y, make):
    p = {k: v.clone().requires_grad_() for k, v in start.items()}
    optimizer, out = make(p.values()), []
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(p, x), y)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


def model(forward, shapes, x, classes):
    x, start = exact(x), {k: exact(normal(*s) / math.sqrt(max(1, math.prod(s[1:])))) for k, s in shapes.items()}
    y = indices(classes, x.shape[0])
    p = {k: v.clone().requires_grad_() for k, v in start.items()}
    logits = forward(p, x)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    return {
        "parameters": {k: tensor(v) for k, v in start.items()},
        "x": tensor(x), "labels": y.tolist(), "logits": tensor(logits), "loss": loss.item(),
        "gradients": {k: tensor(v.grad) for k, v in p.items()},
        "losses": {k: losses(forward, start, x, y, make) for k, make in OPTIMIZERS.items()},
    }


OPERATIONS, MODELS = "graph/testdata/operations.json", "graph/engine/testdata/models.json"


def write(path, values):
    with open(path, "w") as f:
        json.dump(values, f, separators=(",", ":"))


def main(names):
    torch.set_num_threads(1)
    if names:
        with open(OPERATIONS) as f:
            values = json.load(f)
        write(OPERATIONS, values | {k: operation(*CASES[k]) for k in names})
        return
    write(OPERATIONS, {k: operation(*v) for k, v in CASES.items()})
    models = {
        "cnn": model(cnn, {
            "conv1.weight": (3, 1, 3, 3), "conv1.bias": (3,), "conv2.weight": (5, 3, 3, 3), "conv2.bias": (5,),
            "fc1.weight": (11, 45), "fc1.bias": (11,), "fc2.weight": (7, 11), "fc2.bias": (7,),
        }, normal(18, 1, 14, 14), 7),
        "block": model(block, {
            "position": (1, 4, 8), "norm1.weight": (8,), "norm1.bias": (8,), "q": (8, 8), "k": (8, 8), "v": (8, 8),
            "out": (8, 8), "norm2.weight": (8,), "norm2.bias": (8,), "mlp1.weight": (16, 8), "mlp1.bias": (16,),
            "mlp2.weight": (8, 16), "mlp2.bias": (8,), "logits.weight": (7, 32), "logits.bias": (7,),
        }, normal(6, 4, 8), 7),
    }
    write(MODELS, models)


if __name__ == "__main__":
    main(sys.argv[1:])
