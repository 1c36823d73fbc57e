"""Checks `graft model export` against PyTorch on networks of full size.

For a seeded random torchvision vit_b_16 saved as .pth, and on request for a timm
checkpoint or a seeded random Hugging Face ViT-B/16: exports with graft, runs the
ONNX file with onnxruntime on gray 48×48 images, and compares every output with
the original library's. Exit status 1 if any relative error is above 1e-5.

With --keep DIR the ONNX file and the expected outputs stay in DIR, and graft's
own runtime can be checked on them:
GRAFT_VIT_CHECK=DIR go test -run TestFullSize ./pretrained/vit

python scripts/check_torchvision.py --graft ./graft
python scripts/check_torchvision.py --graft ./graft --timm vit_tiny_patch16_224 --weights F.safetensors
python scripts/check_torchvision.py --graft ./graft --hugging-face
"""

import argparse
import functools
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file, save_file

import fixtures_vit as ref

LIMIT = 1e-5


def faces(n):
    """Smooth blobs with noise: 48×48 gray pixels that look more like photographs than noise does."""
    g = torch.Generator().manual_seed(11)
    coarse = torch.rand((n, 1, 6, 6), generator=g)
    x = torch.nn.functional.interpolate(coarse, size=(48, 48), mode="bicubic", align_corners=False)
    x = x + 0.05 * torch.randn(x.shape, generator=g)
    return (x.clamp(0, 1) * 255).to(torch.uint8)


def torchvision_model(folder):
    from torchvision.models import vit_b_16

    torch.manual_seed(3)
    model = vit_b_16()
    torch.nn.init.normal_(model.heads.head.weight, std=0.02)
    path = folder / "vit_b_16.pth"
    torch.save(model.state_dict(), path)
    return model.eval(), path, functools.partial(ref.run_torchvision, model), ref.IMAGENET


def timm_model(name, weights):
    import timm

    model = timm.create_model(name, pretrained=False)
    model.load_state_dict(load_file(weights))
    return model.eval(), pathlib.Path(weights), functools.partial(ref.run_timm, model), ref.HALF


def hugging_face_model(folder):
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(4)
    model = ViTForImageClassification(ViTConfig(num_labels=10)).eval()
    path = folder / "hugging_face.safetensors"
    save_file(model.state_dict(), path)
    return model, path, functools.partial(ref.run_hugging_face, model), ref.HALF


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--graft", default="./graft", help="the graft program")
    p.add_argument("--timm", help="name of a timm model, with --weights")
    p.add_argument("--weights", help="its safetensors file")
    p.add_argument("--hugging-face", action="store_true")
    p.add_argument("--images", type=int, default=4)
    p.add_argument("--keep", help="folder for the exported ONNX file and the expected outputs")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        if a.timm:
            model, path, run, stats = timm_model(a.timm, a.weights)
        elif a.hugging_face:
            model, path, run, stats = hugging_face_model(folder)
        else:
            model, path, run, stats = torchvision_model(folder)
        kept = pathlib.Path(a.keep or tmp)
        out = kept / "vit.onnx"
        start = time.time()
        subprocess.run([a.graft, "model", "export", "--weights", path, "--out", out], check=True)
        print(f"export took {time.time() - start:.2f} s")
        pixels = faces(a.images)
        want = run(ref.prepare(pixels, 224, stats))
        save_file({f"gray.{k}": v.contiguous() for k, v in (want | {"pixels": pixels.float()}).items()}, kept / "expected.safetensors")
        session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        got = dict(zip(names, session.run(names, {"pixels": pixels.numpy()})))
    sys.exit(compare(got, {k: v.numpy() for k, v in want.items()}))


def compare(got, want):
    """Prints the relative error of every output; returns the exit status."""
    failed = set(got) ^ set(want)
    for name in sorted(failed):
        print(f"{name}: only in one of the two")
    for name in want:
        if name in got:
            err = np.linalg.norm(got[name] - want[name]) / np.linalg.norm(want[name])
            ok = got[name].shape == want[name].shape and err <= LIMIT
            print(f"{name:8} {str(want[name].shape):12} relative error {err:.2e}{'' if ok else '  FAILED'}")
            if not ok:
                failed.add(name)
    return int(bool(failed))


if __name__ == "__main__":
    main()
