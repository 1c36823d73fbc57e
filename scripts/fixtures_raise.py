"""Writes the fixtures of graph/raise: small networks of torchvision and timm with
random weights, exported by both of torch's exporters, and what ONNX Runtime makes
of two images.

Run by hand: python scripts/fixtures_raise.py graph/raise/testdata [NAME ...]
Made with torch 2.15, torchvision 0.29, timm 1.0.31, onnxscript 0.7.2, onnxruntime 1.32.

Each file has a free batch. In foreign.safetensors stand `pixels` [2,3,32,32], the
input of all, and `NAME.y`, the output of NAME.onnx.
"""

import functools
import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import timm.models as tm
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision.models as tv
from safetensors.numpy import load_file, save_file
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.ops.misc import Conv2dNormActivation

SIZE, CLASSES, WIDTH, HEADS = 32, 5, 12, 2


def randomise(net):
    """Weights that keep values near one, and norms whose every number matters."""
    g = torch.Generator().manual_seed(7)
    draw = lambda p: torch.randn(p.shape, generator=g)  # noqa: E731
    with torch.no_grad():
        for name, p in list(net.named_parameters()) + list(net.named_buffers()):
            if not p.is_floating_point() or "mask" in name:
                continue
            if name.endswith("running_var"):
                p.copy_(0.5 + torch.rand(p.shape, generator=g))
            elif p.dim() > 1 and "pos" not in name and "token" not in name:
                p.copy_(draw(p) / p[0].numel() ** 0.5)
            elif name.endswith("weight") or "gamma" in name:
                p.copy_(1 + 0.3 * draw(p))
            else:
                p.copy_(0.3 * draw(p))
    return net.eval()


class ResNet(tv.ResNet):
    """torchvision's, of any width."""

    def __init__(self, block, layers, width):
        nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, width, 1, 1, 64
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1, self.relu, self.maxpool = nn.BatchNorm2d(width), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)
        for i, n in enumerate(layers):
            setattr(self, f"layer{i + 1}", self._make_layer(block, width << i, n, stride=1 + (i > 0)))
        for i in range(len(layers), 4):
            setattr(self, f"layer{i + 1}", nn.Identity())
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(self.inplanes, CLASSES)


def mobilenet_v2():
    net = tv.MobileNetV2(CLASSES, 0.25, [[1, 16, 1, 1], [3, 24, 3, 2], [3, 32, 2, 2]], round_nearest=4)
    net.features[-1] = Conv2dNormActivation(8, 24, kernel_size=1, activation_layer=nn.ReLU6)
    net.classifier[1] = nn.Linear(24, CLASSES)
    return net


def mobilenet_v3():
    conf = functools.partial(InvertedResidualConfig, dilation=1, width_mult=1)
    return tv.MobileNetV3([conf(16, 3, 16, 8, True, "RE", 2), conf(8, 3, 24, 8, False, "RE", 1),
                           conf(8, 5, 24, 8, True, "HS", 2), conf(8, 5, 24, 8, True, "HS", 1)], 24, CLASSES)


def efficientnet():
    return tv.EfficientNet([MBConvConfig(1, 3, 1, 8, 8, 1, 1, 1), MBConvConfig(3, 3, 2, 8, 8, 2, 1, 1),
                            MBConvConfig(3, 5, 2, 8, 8, 2, 1, 1)], 0.2, num_classes=CLASSES, last_channel=24)


def efficientnet_lite(pad=""):
    blocks = decode_arch_def([["ds_r1_k3_s1_e1_c8"], ["ir_r2_k3_s2_e3_c8"], ["ir_r2_k5_s2_e3_c12"]])
    return tm.EfficientNet(blocks, CLASSES, 24, stem_size=8, act_layer=nn.ReLU6, pad_type=pad,
                           round_chs_fn=functools.partial(round_channels, divisor=4))


def vit(kind=tm.VisionTransformer, depth=3, **more):
    return kind(img_size=SIZE, patch_size=8, embed_dim=WIDTH, depth=depth, num_heads=HEADS, mlp_ratio=2, num_classes=CLASSES, **more)


class Forms(nn.Module):
    """Every way of writing attention, and an activation for each."""

    class Block(nn.Module):
        def __init__(self, kind, act):
            super().__init__()
            self.kind, self.act = kind, act
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH, eps=1e-6)
            self.mha = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
            self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

        def attend(self, x):
            if self.kind == "module":
                return self.mha(x, x, x, need_weights=False)[0]
            n, t, d = x.shape
            qkv = F.linear(x, self.mha.in_proj_weight, self.mha.in_proj_bias)
            q, k, v = qkv.reshape(n, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
            if self.kind == "sdpa":
                y = F.scaled_dot_product_attention(q, k, v)
            elif self.kind == "sdpa scale":
                y = F.scaled_dot_product_attention(q, k, v, scale=0.3)
            elif self.kind == "after":
                y = ((q @ k.transpose(-2, -1)) / (d // HEADS) ** 0.5).softmax(-1) @ v
            elif self.kind == "before":
                y = ((q * (d // HEADS) ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
            else:
                y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
            return self.mha.out_proj(y.transpose(1, 2).reshape(n, t, d))

        def forward(self, x):
            x = x + self.attend(self.norm1(x))
            return x + self.down(self.act(self.up(self.norm2(x))))

    def __init__(self):
        super().__init__()
        quick = lambda x: x * torch.sigmoid(1.702 * x)  # noqa: E731
        acts = [nn.GELU(), nn.GELU("tanh"), quick, nn.SiLU(), nn.Mish(), nn.ELU()]
        kinds = ["module", "sdpa", "sdpa scale", "after", "before", "none"]
        self.patch = nn.Conv2d(3, WIDTH, 8, 8)
        self.blocks = nn.Sequential(*[self.Block(k, a) for k, a in zip(kinds, acts)])

    def forward(self, x):
        return self.blocks(self.patch(x).flatten(2).transpose(1, 2)).mean(1)


NETS = {
    "resnet_basic": lambda: ResNet(tv.resnet.BasicBlock, [2, 2, 1], 4),
    "resnet_bottleneck": lambda: ResNet(tv.resnet.Bottleneck, [2, 2, 1], 4),
    "resnet_timm": lambda: tm.ResNet(tm.resnet.BasicBlock, (2, 2, 1, 1), CLASSES, stem_width=4, stem_type="deep", avg_down=True,
                                     channels=(4, 8, 8, 12)),
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "efficientnet": efficientnet,
    "efficientnet_lite": efficientnet_lite,
    "efficientnet_same": lambda: efficientnet_lite("same"),
    "convnext": lambda: tv.ConvNeXt([CNBlockConfig(8, 12, 2), CNBlockConfig(12, None, 1)], layer_scale=0.5, num_classes=CLASSES),
    "convnext_timm": lambda: tm.ConvNeXt(num_classes=CLASSES, depths=(1, 2, 1, 1), dims=(8, 8, 8, 12), ls_init_value=0.5),
    "vit": lambda: tv.VisionTransformer(SIZE, 8, 3, HEADS, WIDTH, 2 * WIDTH, num_classes=CLASSES),
    "vit_timm": vit,
    "deit": lambda: vit(tm.VisionTransformerDistilled),
    "dinov2": lambda: vit(init_values=0.5, reg_tokens=4, no_embed_class=True),
    "dinov2_swiglu": lambda: vit(init_values=0.5, mlp_layer=timm_swiglu(), act_layer=nn.SiLU),
    "swin": lambda: tv.SwinTransformer([4, 4], 8, [2, 1], [2, 2], [4, 4], 2, num_classes=CLASSES),
    "swin_timm": lambda: tm.SwinTransformer(SIZE, 4, num_classes=CLASSES, embed_dim=8, depths=(2, 1), num_heads=(2, 2), window_size=4, mlp_ratio=2),
    "forms": Forms,
}


def timm_swiglu():
    from timm.layers import SwiGLUPacked
    return SwiGLUPacked


# By TorchScript: operator sets of the last five years; "kept": batch norms stay apart from their convolutions.
TORCHSCRIPT = {
    "resnet_basic": (11, True), "resnet_bottleneck": (13, False), "resnet_timm": (13, True), "mobilenet_v2": (11, False),
    "mobilenet_v3": (14, True), "efficientnet": (13, False), "efficientnet_lite": (11, True), "efficientnet_same": (11, False),
    "convnext": (11, False), "vit": (14, False), "vit_timm": (17, False), "deit": (11, False),
    "dinov2": (14, False), "dinov2_swiglu": (16, False), "swin_timm": (17, False), "forms": (14, False),
}
ONLY = {"swin": "dynamo", "convnext_timm": "dynamo", "efficientnet_lite": "torchscript", "efficientnet_same": "torchscript",
        "resnet_timm": "torchscript", "vit_timm": "torchscript", "deit": "torchscript", "dinov2_swiglu": "torchscript", "mobilenet_v2": "torchscript"}  # one file says it all
KEPT = {"resnet_basic", "mobilenet_v3"}  # by dynamo, without its optimiser
BY_HAND = {"deit"}  # timm's attention by hand, not by F.scaled_dot_product_attention


def plain(path):
    """Drops what says where nodes came from, and shortens the names of what is no weight; both are most of such a file."""
    m = onnx.load(path)
    del m.graph.value_info[:], m.graph.metadata_props[:], m.metadata_props[:], m.functions[:]
    short = {}
    for i, n in enumerate(m.graph.node):
        n.name, n.doc_string = "", ""
        del n.metadata_props[:]
        for k, o in enumerate(n.output):
            if o and o not in {v.name for v in m.graph.output}:
                short[o] = f"{n.op_type}_{i}" + f".{k}" * (k > 0)
        for names in (n.input, n.output):
            names[:] = [short.get(x, x) for x in names]
        assert not any(a.HasField("g") for a in n.attribute)
    for t in m.graph.initializer:
        t.doc_string = ""
        del t.metadata_props[:]
    onnx.checker.check_model(m, full_check=True)
    onnx.save(m, path)


def export(folder, name, net, pixels):
    """Yields the names of the files of one network."""
    names = dict(input_names=["pixels"], output_names=["features"])
    if ONLY.get(name) != "dynamo":
        opset, kept = TORCHSCRIPT[name]
        path = folder / f"{name}_{opset}.onnx"
        training = torch.onnx.TrainingMode.PRESERVE if kept else torch.onnx.TrainingMode.EVAL
        torch.onnx.export(net, (pixels,), path, dynamo=False, opset_version=opset, training=training, do_constant_folding=not kept,
                          dynamic_axes={"pixels": {0: "batch"}, "features": {0: "batch"}}, **names)
        yield path
    if ONLY.get(name) != "torchscript":
        path = folder / f"{name}_dynamo.onnx"
        torch.onnx.export(net, (pixels,), path, dynamo=True, external_data=False, optimize=name not in KEPT, verbose=False,
                          dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},), **names)
        yield path


def main(folder, names):
    warnings.simplefilter("ignore")
    torch.backends.mha.set_fastpath_enabled(False)  # its fused attention has no ONNX form
    folder = pathlib.Path(folder)
    pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    known = folder / "foreign.safetensors"
    out = load_file(known) if known.exists() and names else {}
    out["pixels"] = pixels.numpy()
    for name in names or NETS:
        if "timm" in name or name == "deit":
            import timm.layers
            timm.layers.set_fused_attn(name not in BY_HAND)
        net = randomise(NETS[name]())
        want = net(pixels).detach().numpy()
        for path in export(folder, name, net, pixels):
            plain(path)
            got, = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"pixels": out["pixels"]})
            far = np.linalg.norm(got - want) / np.linalg.norm(want)
            print(f"{path.name}: {path.stat().st_size} bytes, {far:.1e} from torch, size {np.abs(want).mean():.2g}")
            assert far < 1e-5
            out[path.stem + ".y"] = got
    save_file(out, known)


if __name__ == "__main__":
    with torch.no_grad():
        main(sys.argv[1], sys.argv[2:])
