"""Writes the fixtures of pretrained/vit: three tiny vision transformers with the
tensor names of torchvision, timm and Hugging Face, the pixels of a few images,
and what the original libraries make of them.

Run by hand: python scripts/fixtures_vit.py pretrained/vit/testdata
Made with torch 1.13, torchvision 0.14, timm 0.9.16, transformers 4.36.2.
"""

import functools
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings
from transformers import Dinov2Config, ViTConfig, ViTForImageClassification
from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings

WIDTH, DEPTH, HEADS, MLP, CLASSES = 32, 3, 4, 48, 5
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALF = ([0.5] * 3, [0.5] * 3)


def randomise(model, seed):
    """Gives every parameter values that matter: initialisers leave many at 0 or 1."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if p.dim() >= 2 and "pos" not in name and "token" not in name:
                p.copy_(noise * (1.5 / p[0].numel() ** 0.5))
            elif "norm" in name or ".ln" in name:
                p.add_(noise * 0.2)
            else:
                p.copy_(noise * 0.3)
    return model.eval()


def prepare(pixels, size, stats):
    """uint8 [N,C,H,W] to the network's input, as graft's graph does it."""
    x = F.interpolate(pixels.float() / 255, size=(size, size), mode="bilinear", align_corners=False)
    if x.shape[1] == 1:
        x = x.repeat(1, 3, 1, 1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in stats)
    return (x - mean) / std


def taps(blocks, final):
    """Outputs by graft's names: blocks are [N,T,D] after each block, final after the norm."""
    out = {"cls": final[:, 0], "mean": final[:, 1:].mean(1)}
    for k, b in enumerate(blocks, 1):
        out[f"cls_{k}"], out[f"mean_{k}"] = b[:, 0], b[:, 1:].mean(1)
    return out


@torch.no_grad()
def run_torchvision(model, x):
    blocks, final = [], []
    hooks = [l.register_forward_hook(lambda m, i, o: blocks.append(o)) for l in model.encoder.layers]
    hooks.append(model.encoder.ln.register_forward_hook(lambda m, i, o: final.append(o)))
    logits = model(x)
    for h in hooks:
        h.remove()
    return taps(blocks, final[0]) | {"logits": logits}


@torch.no_grad()
def run_timm(model, x):
    blocks = []
    hooks = [b.register_forward_hook(lambda m, i, o: blocks.append(o)) for b in model.blocks]
    final = model.forward_features(x)
    for h in hooks:
        h.remove()
    out = taps(blocks, final)
    if model.num_classes:
        out["logits"] = model.forward_head(final)
    return out


@torch.no_grad()
def run_hugging_face(model, x):
    out = model(x, output_hidden_states=True)
    final = model.vit.layernorm(out.hidden_states[-1])
    return taps(out.hidden_states[1:], final) | {"logits": out.logits}


def images():
    """Gray and coloured images, not square and smaller and larger than the models' inputs."""
    g = torch.Generator().manual_seed(7)
    shapes = {"gray": (2, 1, 48, 48), "rgb": (2, 3, 40, 56)}
    return {k: torch.randint(0, 256, s, generator=g, dtype=torch.uint8) for k, s in shapes.items()}


def save_case(folder, name, run, size, stats):
    pixels = images()
    out = {}
    for kind, p in pixels.items():
        out[f"{kind}.pixels"] = p.half()  # exact
        for tap, v in run(prepare(p, size, stats)).items():
            out[f"{kind}.{tap}"] = v.contiguous()
    save_file(out, folder / f"{name}.expected.safetensors")


def torchvision_case(folder):
    model = randomise(VisionTransformer(32, 8, DEPTH, HEADS, WIDTH, MLP, num_classes=CLASSES), 1)
    torch.save(model.state_dict(), folder / "torchvision.pth")
    save_case(folder, "torchvision", functools.partial(run_torchvision, model), 32, IMAGENET)
    # The older spelling, which torchvision's published files have.
    legacy = {k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v for k, v in model.state_dict().items()}
    torch.save(legacy, folder / "torchvision_legacy.pth")
    return model


def timm_case(folder):
    args = dict(img_size=32, patch_size=8, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, mlp_ratio=MLP / WIDTH)
    model = randomise(TimmViT(num_classes=CLASSES, **args), 2)
    save_file(model.state_dict(), folder / "timm.safetensors")
    save_case(folder, "timm", functools.partial(run_timm, model), 32, HALF)
    # As DINO publishes it: no head.
    bare = randomise(TimmViT(num_classes=0, **args), 4)
    torch.save(bare.state_dict(), folder / "dino.pth")
    save_case(folder, "dino", functools.partial(run_timm, bare), 32, IMAGENET)
    return model


def hugging_face_case(folder):
    cfg = ViTConfig(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, intermediate_size=MLP,
                    image_size=48, patch_size=16, num_labels=CLASSES)
    model = randomise(ViTForImageClassification(cfg), 3)
    save_file(model.state_dict(), folder / "huggingface.safetensors")
    save_case(folder, "huggingface", functools.partial(run_hugging_face, model), 48, HALF)
    # ViTModel alone has no prefix and a pooler.
    bare = {k.removeprefix("vit."): v for k, v in model.state_dict().items() if k.startswith("vit.")}
    bare["pooler.dense.weight"], bare["pooler.dense.bias"] = torch.ones(WIDTH, WIDTH), torch.ones(WIDTH)
    save_file(bare, folder / "huggingface_bare.safetensors")


def positions(folder):
    """A position embedding of 4×4 patches resampled to other grids by each library."""
    g = torch.Generator().manual_seed(5)
    pos = torch.randn(1, 17, 6, generator=g)
    out = {"pos": pos}
    for m in (2, 3, 7, 9):
        out[f"torchvision.{m}"] = interpolate_embeddings(8 * m, 8, {"encoder.pos_embedding": pos.clone()})["encoder.pos_embedding"]
        out[f"timm.{m}"] = resample_abs_pos_embed(pos, [m, m])
        out[f"dinov2.{m}"] = dinov2_positions(pos, m)
        grid = pos[:, 1:].reshape(1, 4, 4, 6).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(m, m), mode="bicubic", align_corners=False)
        out[f"huggingface.{m}"] = torch.cat([pos[:, :1], grid.permute(0, 2, 3, 1).reshape(1, m * m, 6)], 1)
    save_file({k: v.contiguous() for k, v in out.items()}, folder / "positions.safetensors")


@torch.no_grad()
def dinov2_positions(pos, m):
    """Meta's convention, which transformers 4.36 has for DINOv2: the size, plus 0.1, tells the scale."""
    model = Dinov2Embeddings(Dinov2Config(hidden_size=6, image_size=4, patch_size=1))
    model.position_embeddings.copy_(pos)
    return model.interpolate_pos_encoding(torch.zeros(1, 1 + m * m, 6), m, m)


def resized_cases(folder, tv, tm):
    """The whole networks at 48 pixels, by the libraries' own interpolation."""
    big = VisionTransformer(48, 8, DEPTH, HEADS, WIDTH, MLP, num_classes=CLASSES).eval()
    big.load_state_dict(interpolate_embeddings(48, 8, dict(tv.state_dict())))
    save_case(folder, "torchvision_48", functools.partial(run_torchvision, big), 48, IMAGENET)
    big = TimmViT(num_classes=CLASSES, img_size=48, patch_size=8, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS,
                  mlp_ratio=MLP / WIDTH).eval()
    state = dict(tm.state_dict())
    state["pos_embed"] = resample_abs_pos_embed(state["pos_embed"], [6, 6])
    big.load_state_dict(state)
    save_case(folder, "timm_48", functools.partial(run_timm, big), 48, HALF)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tv = torchvision_case(folder)
    tm = timm_case(folder)
    hugging_face_case(folder)
    positions(folder)
    resized_cases(folder, tv, tm)


if __name__ == "__main__":
    main()
