"""Writes the fixtures of pretrained/checkpoint/testdata.

Run by hand with torch 1.13 and safetensors, from the repository's root:

    python scripts/fixtures_checkpoint.py

Beside every NAME.pth that holds tensors stands NAME.expected.safetensors, written
by the Python safetensors library: the same tensors as torch reads them, contiguous
and as float32, under the names that graft is to give them.
"""

import argparse
import os
import pickle
import zipfile

import torch
from safetensors.torch import save_file

OUT = "pretrained/checkpoint/testdata"


def expected(name, tensors):
    floats = {k: v.detach().to(torch.float32).contiguous().clone() for k, v in tensors.items() if v.is_floating_point()}
    save_file(floats, f"{OUT}/{name}.expected.safetensors")


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))


def plain():
    net = network()
    sd = net.state_dict()  # an OrderedDict with the attribute _metadata and an int64 counter
    torch.save(sd, f"{OUT}/plain.pth")
    expected("plain", sd)
    torch.save(sd, f"{OUT}/protocol4.pth", pickle_protocol=4)
    expected("protocol4", sd)
    torch.save(sd, f"{OUT}/legacy.pth", _use_new_zipfile_serialization=False)
    expected("legacy", sd)
    torch.jit.script(net).save(f"{OUT}/torchscript.pt")
    with zipfile.ZipFile(f"{OUT}/plain.pth") as src, zipfile.ZipFile(f"{OUT}/deflated.pth", "w", zipfile.ZIP_DEFLATED) as dst:
        for item in src.infolist():
            dst.writestr(zipfile.ZipInfo(item.filename), src.read(item), zipfile.ZIP_DEFLATED)
    expected("deflated", sd)


def wrapped():
    net = network()
    opt = torch.optim.Adam(net.parameters())
    net(torch.randn(5, 4)).sum().backward()
    opt.step()
    torch.save(
        {"model": net.state_dict(), "epoch": 3, "best": 0.5, "args": argparse.Namespace(lr=0.1, data="x"), "optimizer": opt.state_dict()},
        f"{OUT}/wrapped.pth",
    )
    expected("wrapped", net.state_dict())
    parallel = torch.nn.DataParallel(net)
    torch.save({"state_dict": parallel.state_dict(), "epoch": 3}, f"{OUT}/dataparallel.pth")
    expected("dataparallel", net.state_dict())


def dino():
    """The layout of DINO's full checkpoints: a student under DataParallel, a teacher without."""
    torch.manual_seed(2)
    backbone = {"cls_token": torch.randn(1, 1, 4), "norm.weight": torch.randn(4)}
    head = {"head.mlp.0.weight": torch.randn(3, 4), "head.last_layer.weight_g": torch.randn(3, 1)}
    teacher = {"backbone." + k: v for k, v in backbone.items()} | head
    student = {"module." + k: v + 1 for k, v in teacher.items()}
    torch.save({"student": student, "teacher": teacher, "epoch": 1, "dino_loss": {"center": torch.randn(1, 3)}}, f"{OUT}/dino.pth")
    expected("dino", backbone)


def dtypes():
    torch.manual_seed(3)
    x = torch.cat([torch.randn(9), torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 6e-8, 65504.0])])
    sd = {"f64": x.double(), "f32": x, "f16": x.half(), "bf16": x.bfloat16(), "f64_exact": torch.tensor([1 / 3], dtype=torch.float64)}
    torch.save(sd, f"{OUT}/dtypes.pth")
    expected("dtypes", sd)
    save_file(sd, f"{OUT}/dtypes.safetensors", {"format": "pt", "note": "every float type"})
    expected("dtypes_safetensors", sd)


def views():
    torch.manual_seed(4)
    base = torch.randn(6, 5)
    half = torch.randn(4, 3, 2).half()
    sd = {
        "transposed": base.t(),
        "column": base[:, 2],
        "stepped": base[1::2, ::2],
        "rows": base[2:4],
        "whole": base,
        "permuted": half.permute(2, 0, 1),
        "scalar": torch.tensor(1.5),
        "element": base[3, 4],
        "empty": torch.zeros(0, 3),
        "one": torch.randn(1, 1, 1).expand(1, 1, 1),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "parameter_view": torch.nn.Parameter(base[:, 1:3]),
    }
    torch.save(sd, f"{OUT}/views.pth")
    expected("views", sd)
    torch.save({"expanded": torch.randn(1).expand(1000)}, f"{OUT}/expanded.pth")


class Attack:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def malicious():
    """Pickles that would run a command. Python executes them on load; they are never loaded here."""
    attacks = {
        "os_system": Attack(os.system, "touch owned"),
        "eval": Attack(eval, "1+1"),
        "getattr": Attack(getattr, "a", "b"),
        "open": Attack(open, "owned", "w"),
    }
    for name, attack in attacks.items():
        for protocol in (2, 4):
            with zipfile.ZipFile(f"{OUT}/evil_{name}_{protocol}.pth", "w") as z:
                z.writestr(zipfile.ZipInfo("archive/data.pkl"), pickle.dumps({"a": attack}, protocol))
                z.writestr(zipfile.ZipInfo("archive/version"), "3\n")
    # A whole module pickled in place of its state dict: not evil, but it would run code.
    torch.save(network(), f"{OUT}/module.pth")


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for step in (plain, wrapped, dino, dtypes, views, malicious):
        step()
