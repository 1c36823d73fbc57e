"""Exports a torchvision vision transformer with torch.onnx, for comparison with
`graft model export`, which needs no Python.

The file has the same input, pixels, but with a fixed number of channels and a
fixed size, and the outputs cls, mean and logits. Written for torch 2.15 and
its TorchScript-based exporter, which needs no onnxscript.

python scripts/export_torchvision.py --weights vit_b_16-c867db91.pth --out reference.onnx
python scripts/export_torchvision.py --seed 1 --arch vit_b_16 --out reference.onnx
"""

import argparse

import torch
import torch.nn.functional as F
import torchvision


class Backbone(torch.nn.Module):
    """uint8 pixels to features, as graft's graph has them."""

    def __init__(self, vit):
        super().__init__()
        self.vit = vit
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, pixels):
        size = self.vit.image_size
        x = F.interpolate(pixels.float() / 255, size=(size, size), mode="bilinear", align_corners=False)
        x = (x - self.mean) / self.std  # broadcasting repeats gray to RGB
        x = self.vit._process_input(x)
        x = torch.cat([self.vit.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.vit.encoder(x)
        return x[:, 0], x[:, 1:].mean(1), self.vit.heads(x[:, 0])


def export(model, pixels, path, names, opset):
    """Writes a network on pixels [N,C,H,W], N free, with outputs of these names."""
    torch.backends.mha.set_fastpath_enabled(False)  # fused attention has no ONNX counterpart, the plain path does
    try:
        torch.onnx.export(
            model.eval(), (pixels,), path, input_names=["pixels"], output_names=names, opset_version=opset, dynamo=False,
            dynamic_axes={n: {0: "N"} for n in ("pixels", *names)},
        )
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weights", help="state dict, .pth; without it the weights are random")
    p.add_argument("--seed", type=int, default=1, help="of random weights")
    p.add_argument("--arch", default="vit_b_16", choices=["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32"])
    p.add_argument("--channels", type=int, default=1, choices=[1, 3])
    p.add_argument("--input", type=int, default=48, help="side of the images, pixels")
    p.add_argument("--opset", type=int, default=17)
    p.add_argument("--out", required=True)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    vit = getattr(torchvision.models, a.arch)()
    if a.weights:
        vit.load_state_dict(torch.load(a.weights, map_location="cpu"))
    pixels = torch.zeros((2, a.channels, a.input, a.input), dtype=torch.uint8)
    export(Backbone(vit), pixels, a.out, ["cls", "mean", "logits"], a.opset)


if __name__ == "__main__":
    main()
