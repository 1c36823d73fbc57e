"""Writes the fixtures of report/show: what lies inside the networks of finetune/nets/testdata for
their first image, as PyTorch and the package grad-cam have it. Of convolutions the maps after ReLU
and pooling, of transformers the tokens after each block, the softmax of each block's attention and
their rollout (Abnar and Zuidema 2020, written out here), and the Grad-CAM of the likeliest class
before it is brought to the image's size: at the last layer of maps, and of the patches' tokens at
the last block's first norm.

Run by hand: PYTHONPATH=scripts python scripts/fixtures_show.py finetune/nets/testdata report/show/testdata
Made with torch 2.15 and grad-cam 1.5.7.
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn as nn
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from safetensors.torch import load_file, save_file

import fixtures_nets as nets


class StudyCNN(nets.StudyCNN):
    """The same with a layer behind whose hooks the activated maps are."""

    def __init__(self):
        super().__init__()
        self.relu1, self.pool1, self.relu2, self.pool2 = nn.ReLU(), nn.MaxPool2d(2), nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x.flatten(1))))))


def load(model, path):
    tensors = load_file(path)
    weights = {n.removeprefix("weight."): v.double() for n, v in tensors.items() if n.startswith("weight.")}
    model.double().eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all("num_batches" in n for n in missing), (missing, unexpected)
    return model, tensors["x"][:1].double()


def outputs(model, x, layers):
    """The output of each named layer, in the order of its calls."""
    seen, hooks = {n: [] for n in layers}, []
    for name, layer in layers.items():
        hooks.append(layer.register_forward_hook(lambda _, __, out, name=name: seen[name].append(out.detach()[0])))
    logits = model(x)
    for h in hooks:
        h.remove()
    return logits.detach()[0], seen


def grad_cam(model, x, layer, logits, reshape=None):
    target = [ClassifierOutputTarget(int(logits.argmax()))]
    with GradCAM(model=model, target_layers=[layer], reshape_transform=reshape) as cam:
        cam(input_tensor=x, targets=target)
        activations = cam.activations_and_grads.activations[0].numpy()
        gradients = cam.activations_and_grads.gradients[0].numpy()
        raw = cam.get_cam_image(x, layer, target, activations, gradients, False)
    return torch.tensor(np.maximum(raw, 0)[0])


def attention(model, x, heads):
    """[calls,heads,T,T]: the softmax of each head in each call of its block, computed of the block's own queries and keys."""
    seen, hooks = [[] for _ in heads], []
    for out, head in zip(seen, heads):
        def hook(head, args, _, out=out):
            q, k = args[0] @ head.Q, args[0] @ head.K
            out.append(torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, -1).detach()[0])
        hooks.append(head.register_forward_hook(hook))
    model(x)
    for h in hooks:
        h.remove()
    return torch.stack([torch.stack(list(call)) for call in zip(*seen)])


def rollout(blocks):
    product = torch.eye(blocks.shape[-1], dtype=blocks.dtype)
    for heads in blocks:
        a = heads.mean(0) + torch.eye(len(product))
        product = a / a.sum(-1, keepdim=True) @ product
    return product


def main(source, folder):
    folder.mkdir(parents=True, exist_ok=True)
    save = lambda name, t: save_file({n: v.float().clone().contiguous() for n, v in t.items()}, folder / f"{name}.safetensors")

    model, x = load(StudyCNN(), source / "study_cnn.safetensors")
    logits, seen = outputs(model, x, {"conv1": model.relu1, "pool1": model.pool1, "conv2": model.relu2, "pool2": model.pool2})
    seen = {n: v[0] for n, v in seen.items()}
    seen["conv1"] = seen["conv1"][:2]  # two maps of six will do
    save("study_cnn", seen | {"logits": logits, "evidence": grad_cam(model, x, model.relu2, logits)})

    model, x = load(nets.ResidualCNN([6, 8], 1, 0, False), source / "residual_cnn.safetensors")
    last = nn.Identity()  # behind the last block's ReLU
    forward = type(model.stages[-1][-1]).forward
    block = model.stages[-1][-1]
    block.out = last
    block.forward = lambda x: last(forward(block, x))
    logits, _ = outputs(model, x, {})
    save("residual_cnn", {"logits": logits, "evidence": grad_cam(model, x, last, logits)})

    model, x = load(nets.StudyViT(), source / "study_vit.safetensors")
    block = model.transformer_block
    logits, seen = outputs(model, x, {"block": block})
    maps = attention(model, x, list(block.multi_head.multiheads))
    save("study_vit", {"logits": logits, "tokens": torch.stack(seen["block"]), "attention": maps, "rollout": rollout(maps),
                       "embedding": nets.patches(x, 16)[0] @ model.C.detach() + model.pe.detach()[0]})

    model, x = load(nets.PaperViT(), source / "paper_vit.safetensors")
    blocks = model.transformer_blocks
    logits, seen = outputs(model, x, {"0": blocks[0], "1": blocks[1]})
    maps = torch.cat([attention(model, x, list(b.multi_head.multiheads)) for b in blocks])
    places = lambda t: t[:, 1:].transpose(1, 2).reshape(len(t), 12, 5, 5)
    save("paper_vit", {"logits": logits, "tokens": torch.stack([seen["0"][0], seen["1"][0]]), "attention": maps, "rollout": rollout(maps),
                       "evidence": grad_cam(model, x, blocks[-1].norm, logits, places)})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
