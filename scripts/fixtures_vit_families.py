"""Writes the fixtures of pretrained/vit for CLIP, DINOv2, distilled DeiT and
SigLIP: tiny networks under the tensor names of each source, and what a reference
implementation makes of a few images.

Run by hand: python scripts/fixtures_vit_families.py pretrained/vit/testdata
Made with torch 1.13, timm 0.9.16, transformers 4.36.2.

References: transformers computes CLIP, DINOv2 and Hugging Face's DeiT; timm
computes DeiT, DINOv2 with registers and SigLIP. OpenAI's clip, Meta's dinov2 and
the versions of transformers that have SigLIP and DINOv2 with registers are not at
hand: their files hold the same weights under the names that their sources
document, so the expected outputs are the same.
"""

import functools
import pathlib
import sys

import torch
import torch.nn as nn
from fixtures_vit import HALF, IMAGENET, prepare, randomise
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from transformers import (CLIPConfig, CLIPModel, DeiTConfig, DeiTForImageClassificationWithTeacher, Dinov2Config,
                          Dinov2ForImageClassification)

WIDTH, DEPTH, HEADS, MLP, CLASSES, PROJECTION = 16, 2, 4, 24, 5, 12
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
TIMM = dict(embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, mlp_ratio=MLP / WIDTH)


def images():
    g = torch.Generator().manual_seed(11)
    shapes = {"gray": (2, 1, 20, 20), "rgb": (2, 3, 18, 26)}
    return {k: torch.randint(0, 256, s, generator=g, dtype=torch.uint8) for k, s in shapes.items()}


@torch.no_grad()
def save_case(folder, name, run, size, stats):
    out = {}
    for kind, p in images().items():
        out[f"{kind}.pixels"] = p.half()  # exact
        for tap, v in run(prepare(p, size, stats)).items():
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
    if isinstance(model, VisionTransformerDistilled):
        out["dist"] = final[:, 1]
    if model.attn_pool is not None:
        out["pool"] = model.attn_pool(final)
    if model.num_classes:
        out["logits"] = model.forward_head(final)
    return out


# --- CLIP


def run_clip(model, x):
    out = model.vision_model(x, output_hidden_states=True)
    final = model.vision_model.post_layernorm(out.hidden_states[-1])
    return taps(out.hidden_states[1:], final, 1) | {"proj": model.get_image_features(x)}


def openai_names(state):
    """Hugging Face's CLIP under OpenAI's names (transformers/models/clip/convert_clip_original_pytorch_to_hf.py, backwards)."""
    out = {}
    rename = [
        ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
        ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
        ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
        ("vision_model.pre_layrnorm.", "visual.ln_pre."), ("vision_model.post_layernorm.", "visual.ln_post."),
        ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
        ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
        ("text_model.final_layer_norm.", "ln_final."),
        ("vision_model.encoder.layers.", "visual.transformer.resblocks."), ("text_model.encoder.layers.", "transformer.resblocks."),
        (".self_attn.out_proj.", ".attn.out_proj."), (".layer_norm1.", ".ln_1."), (".layer_norm2.", ".ln_2."),
        (".mlp.fc1.", ".mlp.c_fc."), (".mlp.fc2.", ".mlp.c_proj."),
    ]
    for name, v in state.items():
        if "k_proj" in name or "v_proj" in name or "position_ids" in name:
            continue
        if name in ("visual_projection.weight", "text_projection.weight"):
            out["visual.proj" if name[0] == "v" else "text_projection"] = v.T.contiguous()
            continue
        if "q_proj" in name:
            v = torch.cat([state[name.replace("q_proj", c + "_proj")] for c in "qkv"])
            name = name.replace("self_attn.q_proj.", "attn.in_proj_")
        for a, b in rename:
            name = name.replace(a, b)
        out[name] = v
    return out


class Tree(nn.Module):
    """Modules and parameters by dotted names, to be saved as TorchScript."""

    def __init__(self, state):
        super().__init__()
        below = {}
        for name, v in state.items():
            head, _, rest = name.partition(".")
            if rest:
                below.setdefault(head, {})[rest] = v
            else:
                self.register_parameter(head, nn.Parameter(v, requires_grad=False))
        for head, part in below.items():
            self.add_module(head, Tree(part))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def clip_cases(folder):
    tower = dict(hidden_size=WIDTH, intermediate_size=MLP, num_hidden_layers=DEPTH, num_attention_heads=HEADS)
    text = tower | dict(vocab_size=9, max_position_embeddings=7, num_hidden_layers=1)
    cfg = CLIPConfig(vision_config=tower | dict(image_size=32, patch_size=8), text_config=text, projection_dim=PROJECTION)
    model = randomise(CLIPModel(cfg), 21)
    model.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in model.state_dict().items()})
    save(folder, "clip_huggingface", model.state_dict())
    save_case(folder, "clip", functools.partial(run_clip, model), 32, CLIP)
    # As OpenAI publishes it: TorchScript, mostly in half precision, three sizes beside the weights.
    state = {k: v if "ln_" in k else v.half() for k, v in openai_names(model.state_dict()).items()}
    tree = Tree(state)
    for name, n in (("input_resolution", 32), ("context_length", 7), ("vocab_size", 9)):
        tree.register_buffer(name, torch.tensor(n))
    torch.jit.script(tree).save(str(folder / "clip_openai.pt"))
    # The same with plain GELU, as LAION trained.
    for m in model.vision_model.encoder.layers:
        m.mlp.activation_fn = nn.GELU()
    save_case(folder, "clip_gelu", functools.partial(run_clip, model), 32, CLIP)
    model = randomise(VisionTransformer(32, 8, num_classes=CLASSES, pre_norm=True, norm_layer=nn.LayerNorm, **TIMM), 22)
    save(folder, "clip_timm", model.state_dict())
    save_case(folder, "clip_timm", functools.partial(run_timm, model), 32, CLIP)


# --- DeiT


def run_hugging_face_deit(model, x):
    out = model(x, output_hidden_states=True)
    final = model.deit.layernorm(out.hidden_states[-1])
    return taps(out.hidden_states[1:], final, 2) | {"dist": final[:, 1], "logits": out.logits}


def deit_cases(folder):
    model = randomise(VisionTransformerDistilled(img_size=32, patch_size=8, num_classes=CLASSES, **TIMM), 23)
    save(folder, "deit", model.state_dict())
    save_case(folder, "deit", functools.partial(run_timm, model), 32, IMAGENET)
    state = dict(model.state_dict())
    state["pos_embed"] = resample_abs_pos_embed(state["pos_embed"], [6, 6], num_prefix_tokens=2)
    big = VisionTransformerDistilled(img_size=48, patch_size=8, num_classes=CLASSES, **TIMM).eval()
    big.load_state_dict(state)
    save_case(folder, "deit_48", functools.partial(run_timm, big), 48, IMAGENET)
    cfg = DeiTConfig(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, intermediate_size=MLP,
                     image_size=32, patch_size=8, num_labels=CLASSES)
    model = randomise(DeiTForImageClassificationWithTeacher(cfg), 24)
    save(folder, "deit_huggingface", model.state_dict())
    save_case(folder, "deit_huggingface", functools.partial(run_hugging_face_deit, model), 32, IMAGENET)


# --- DINOv2


def run_dinov2(model, x):
    out = model(x, output_hidden_states=True)
    final = model.dinov2.layernorm(out.hidden_states[-1])
    return taps(out.hidden_states[1:], final, 1) | {"logits": out.logits}


def meta_names(state):
    """Hugging Face's DINOv2 under Meta's names (transformers/models/dinov2/convert_dinov2_to_hf.py, backwards)."""
    out = {}
    rename = [
        ("embeddings.patch_embeddings.projection.", "patch_embed.proj."), ("embeddings.position_embeddings", "pos_embed"),
        ("embeddings.", ""), ("encoder.layer.", "blocks."), ("attention.output.dense.", "attn.proj."), ("layernorm.", "norm."),
        ("layer_scale1.lambda1", "ls1.gamma"), ("layer_scale2.lambda1", "ls2.gamma"),
        ("weights_in.", "w12."), ("weights_out.", "w3."),
    ]
    for name, v in state.items():
        if not name.startswith("dinov2.") or ".key." in name or ".value." in name:
            continue
        if ".query." in name:
            v = torch.cat([state[name.replace(".query.", f".{c}.")] for c in ("query", "key", "value")])
            name = name.replace("attention.attention.query.", "attn.qkv.")
        name = name.removeprefix("dinov2.")
        for a, b in rename:
            name = name.replace(a, b)
        out[name] = v
    return out


def dinov2_cases(folder):
    for name, swiglu in (("dinov2", False), ("dinov2_swiglu", True)):
        cfg = Dinov2Config(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=HEADS, mlp_ratio=2, image_size=28,
                           patch_size=7, num_labels=CLASSES, use_swiglu_ffn=swiglu)
        model = randomise(Dinov2ForImageClassification(cfg), 25)
        save(folder, f"{name}_huggingface", model.state_dict())
        save_case(folder, name, functools.partial(run_dinov2, model), 28, IMAGENET)
        torch.save(meta_names(model.state_dict()), folder / f"{name}.pth")
        if not swiglu:
            save_case(folder, "dinov2_42", functools.partial(run_dinov2, model), 42, IMAGENET)
            save_case(folder, "dinov2_14", functools.partial(run_dinov2, model), 14, IMAGENET)


def registers_names(state):
    """timm's DINOv2 with registers under Meta's names: positions have a row for the class token again."""
    out = dict(state)
    row = torch.randn(1, 1, WIDTH, generator=torch.Generator().manual_seed(27))
    out["register_tokens"] = out.pop("reg_token")
    out["cls_token"] = out["cls_token"] - row
    out["pos_embed"] = torch.cat([row, out["pos_embed"]], 1)
    out["mask_token"] = torch.zeros(1, WIDTH)
    return {k: v for k, v in out.items() if not k.startswith("head.")}


def hugging_face_registers(state):
    """Meta's names to those of Dinov2WithRegistersModel (convert_dinov2_with_registers_to_hf.py)."""
    out = {}
    for name, v in state.items():
        if name.split(".")[0] in ("cls_token", "register_tokens", "mask_token"):
            name = "embeddings." + name
        name = name.replace("pos_embed", "embeddings.position_embeddings").replace("patch_embed.proj.", "embeddings.patch_embeddings.projection.")
        name = name.replace("blocks.", "encoder.layer.").replace("attn.proj.", "attention.output.dense.")
        name = name.replace("ls1.gamma", "layer_scale1.lambda1").replace("ls2.gamma", "layer_scale2.lambda1")
        if name.startswith("norm."):
            name = "layer" + name
        if ".attn.qkv." in name:
            for part, c in zip(v.chunk(3), ("query", "key", "value")):
                out[name.replace("attn.qkv.", f"attention.attention.{c}.")] = part
        else:
            out[name] = v
    return out


def registers_cases(folder):
    args = dict(patch_size=7, num_classes=CLASSES, reg_tokens=3, no_embed_class=True, init_values=1.0, **TIMM)
    model = randomise(VisionTransformer(28, **args), 26)
    save(folder, "dinov2_reg_timm", model.state_dict())
    save_case(folder, "dinov2_reg", functools.partial(run_timm, model), 28, IMAGENET)
    meta = registers_names(model.state_dict())
    torch.save(meta, folder / "dinov2_reg.pth")
    save(folder, "dinov2_reg_huggingface", hugging_face_registers(meta))
    state = dict(model.state_dict())
    state["pos_embed"] = resample_abs_pos_embed(state["pos_embed"], [6, 6], num_prefix_tokens=0)
    big = VisionTransformer(42, **args).eval()
    big.load_state_dict(state)
    save_case(folder, "dinov2_reg_42", functools.partial(run_timm, big), 42, IMAGENET)


# --- SigLIP


def siglip_names(state):
    """timm's SigLIP under the names of transformers' SiglipModel (convert_siglip_to_hf.py)."""
    out = {}
    rename = [
        ("patch_embed.proj.", "embeddings.patch_embedding."), ("pos_embed", "embeddings.position_embedding.weight"),
        ("attn_pool.latent", "head.probe"), ("attn_pool.proj.", "head.attention.out_proj."), ("attn_pool.norm.", "head.layernorm."),
        ("attn_pool.mlp.", "head.mlp."), (".attn.proj.", ".self_attn.out_proj."), (".norm1.", ".layer_norm1."), (".norm2.", ".layer_norm2."),
    ]
    for name, v in state.items():
        if name.startswith("attn_pool.kv."):
            continue
        if name.startswith("attn_pool.q."):
            out["vision_model.head.attention.in_proj_" + name.split(".")[-1]] = torch.cat([v, state[name.replace(".q.", ".kv.")]])
            continue
        if name == "pos_embed":
            v = v[0]
        if name.startswith("norm."):
            name = "post_layer" + name
        for a, b in rename:
            name = name.replace(a, b)
        name = "vision_model." + name.replace("blocks.", "encoder.layers.")
        if ".attn.qkv." in name:
            for part, c in zip(v.chunk(3), "qkv"):
                out[name.replace("attn.qkv.", f"self_attn.{c}_proj.")] = part
        else:
            out[name] = v
    return out


def siglip_cases(folder):
    args = dict(img_size=32, patch_size=8, num_classes=0, class_token=False, global_pool="map", **TIMM)
    model = randomise(VisionTransformer(**args), 28)
    save(folder, "siglip_timm", model.state_dict())
    save_case(folder, "siglip_timm", functools.partial(run_timm, model), 32, HALF)
    # transformers, as the authors, has GELU by tanh everywhere.
    model = VisionTransformer(act_layer=functools.partial(nn.GELU, approximate="tanh"), **args).eval()
    model.load_state_dict(torch_state(folder / "siglip_timm.safetensors"))
    model.attn_pool.mlp.act = nn.GELU(approximate="tanh")
    save_case(folder, "siglip", functools.partial(run_timm, model), 32, HALF)
    text = {"text_model.embeddings.token_embedding.weight": torch.ones(3, WIDTH), "logit_scale": torch.ones(1), "logit_bias": torch.ones(1)}
    save(folder, "siglip_huggingface", siglip_names(model.state_dict()) | text)


def torch_state(path):
    from safetensors.torch import load_file

    return load_file(path)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    clip_cases(folder)
    deit_cases(folder)
    dinov2_cases(folder)
    registers_cases(folder)
    siglip_cases(folder)


if __name__ == "__main__":
    main()
