"""Writes fixtures of pretrained/vit for networks beside the published ones: a norm of the
mean, no class token but a classifier, norms of queries and keys, one input channel, one
classifier beside a distillation token, RMS norms and layers without biases with positions of
registers (at another, oblong size too), and positions that Hugging Face interpolates today.

Run by hand: python scripts/fixtures_vit_variants.py pretrained/vit/testdata
Made with torch 2.15, timm 1.0.31, transformers 5.24.
"""

import functools
import pathlib
import sys

import torch
import torch.nn.functional as F
from fixtures_vit import randomise
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer
from transformers import DeiTConfig, DeiTForImageClassification, Dinov2Config, Dinov2ForImageClassification

WIDTH, DEPTH, HEADS, MLP, CLASSES = 16, 2, 4, 24, 5
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALF = ([0.5] * 3, [0.5] * 3)
TIMM = dict(img_size=32, patch_size=8, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, mlp_ratio=MLP / WIDTH, num_classes=CLASSES)


def images():
    g = torch.Generator().manual_seed(11)
    shapes = {"gray": (2, 1, 20, 20), "rgb": (2, 3, 18, 26)}
    return {k: torch.randint(0, 256, s, generator=g, dtype=torch.uint8) for k, s in shapes.items()}


def prepare(pixels, size, stats, channels):
    """uint8 [N,C,H,W] to the network's input; colours to one channel as PIL's convert("L"), unrounded."""
    x = F.interpolate(pixels.float() / 255, size=size if isinstance(size, tuple) else (size, size), mode="bilinear", align_corners=False)
    if channels == 1 and x.shape[1] == 3:
        x = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if channels == 3 and x.shape[1] == 1:
        x = x.repeat(1, 3, 1, 1)
    mean, std = (torch.tensor(v[:channels]).view(1, channels, 1, 1) for v in stats)
    return (x - mean) / std


@torch.no_grad()
def save_case(folder, name, run, stats, size=32, channels=3):
    out = {}
    for kind, p in images().items():
        out[f"{kind}.pixels"] = p.half()  # exact
        for tap, v in run(prepare(p, size, stats, channels)).items():
            out[f"{kind}.{tap}"] = v.contiguous()
    save_file(out, folder / f"{name}.expected.safetensors")


def save(folder, name, state):
    save_file({k: v.detach().clone().contiguous() for k, v in state.items()}, folder / f"{name}.safetensors")


def taps(blocks, final, prefix, cls=True):
    """Outputs by graft's names; the first prefix tokens are no patches."""
    out = {}
    for suffix, x in [("", final)] + [(f"_{k}", b) for k, b in enumerate(blocks, 1)]:
        out["mean" + suffix] = x[:, prefix:].mean(1)
        if cls:
            out["cls" + suffix] = x[:, 0]
    return out


def run_timm(model, x):
    blocks = []
    hooks = [b.register_forward_hook(lambda m, i, o: blocks.append(o)) for b in model.blocks]
    final = model.forward_features(x)
    for h in hooks:
        h.remove()
    out = taps(blocks, final, model.num_prefix_tokens, model.cls_token is not None)
    if model.global_pool == "avg":
        out["mean"] = model.forward_head(final, pre_logits=True)
    out["logits"] = model.forward_head(final)
    return out


def run_hugging_face(model, body, prefix, x, **args):
    out = model(x, output_hidden_states=True, **args)
    final = body.layernorm(out.hidden_states[-1])
    return taps(out.hidden_states[1:], final, prefix) | {"logits": out.logits} | ({"dist": final[:, 1]} if prefix == 2 else {})


def main(folder):
    for name, seed, stats, channels, args in (
        ("fc_norm", 31, IMAGENET, 3, dict(global_pool="avg")),
        ("gap", 32, HALF, 3, dict(global_pool="avg", class_token=False, fc_norm=False, reg_tokens=2, no_embed_class=True)),
        ("gap_fc_norm", 33, HALF, 3, dict(global_pool="avg", class_token=False, qk_norm=True)),
        ("one_channel", 34, HALF, 1, dict(in_chans=1)),
    ):
        model = randomise(VisionTransformer(**TIMM, **args), seed)
        save(folder, name, model.state_dict())
        save_case(folder, name, functools.partial(run_timm, model), stats, channels=channels)
    bare = dict(norm_layer="rmsnorm", qk_norm=True, qkv_bias=False, proj_bias=False, reg_tokens=2)
    model = randomise(VisionTransformer(**TIMM, **bare), 36)
    save(folder, "rms", model.state_dict())
    save_case(folder, "rms", functools.partial(run_timm, model), HALF)
    model.set_input_size((24, 40))
    save_case(folder, "rms_24x40", functools.partial(run_timm, model), HALF, size=(24, 40))
    sizes = dict(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, num_labels=CLASSES)
    model = randomise(DeiTForImageClassification(DeiTConfig(intermediate_size=MLP, image_size=32, patch_size=8, **sizes)), 35)
    save(folder, "deit_one_head", model.state_dict())
    save_case(folder, "deit_one_head", functools.partial(run_hugging_face, model, model.deit, 2), IMAGENET)
    model = Dinov2ForImageClassification(Dinov2Config(mlp_ratio=2, image_size=28, patch_size=7, **sizes)).eval()
    renamed = (("attention.attention.query", "attention.q_proj"), ("attention.attention.key", "attention.k_proj"),
               ("attention.attention.value", "attention.v_proj"), ("attention.output.dense", "attention.o_proj"))
    state = load_file(folder / "dinov2_huggingface.safetensors")
    for a, b in renamed:
        state = {k.replace(a, b): v for k, v in state.items()}
    model.load_state_dict(state)
    for size in (42, 14):
        save_case(folder, f"dinov2_huggingface_{size}", functools.partial(run_hugging_face, model, model.dinov2, 1), IMAGENET, size=size)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
