"""Writes the fixture of finetune/fit for the tail of a vision transformer: what PyTorch makes of the last two blocks of
pretrained/vit's tiny timm network and a head on four taps, one of them frozen: logits, loss, every gradient, the losses
of ten AdamW steps with layer-wise decay of the learning rate, and how far they moved each weight.

norm.safetensors is of a small convolutional network with batch norms in training: five AdamW steps, the running
statistics behind them, and the logits that these give.

Run by hand: python scripts/fixtures_tune.py pretrained/vit/testdata/timm.safetensors finetune/fit/testdata
Made with torch 2.15. PyTorch computes in float64. Names are timm's.
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

HEADS, TOKENS, BATCH, CLASSES, FIRST = 4, 17, 6, 5, 1
RATE, DECAY, WEIGHT_DECAY, SMOOTHING, STEPS = 1e-3, 0.7, 0.05, 0.1, 10


def block(w, k, x):
    p = f"blocks.{k}."
    norm = lambda name, v: F.layer_norm(v, v.shape[-1:], w[p + name + ".weight"], w[p + name + ".bias"], 1e-6)
    linear = lambda name, v: F.linear(v, w[p + name + ".weight"], w[p + name + ".bias"])
    n, t, d = x.shape
    q, k_, v = linear("attn.qkv", norm("norm1", x)).reshape(n, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
    x = x + linear("attn.proj", F.scaled_dot_product_attention(q, k_, v).transpose(1, 2).reshape(n, t, d))
    return x + linear("mlp.fc2", F.gelu(linear("mlp.fc1", norm("norm2", x))))


def forward(w, tokens):
    frozen = tokens[:, 0]
    x = block(w, FIRST, tokens)
    middle = x[:, 1:].mean(1)
    x = block(w, FIRST + 1, x)
    x = F.layer_norm(x, x.shape[-1:], w["norm.weight"], w["norm.bias"], 1e-6)
    return F.linear(torch.cat([frozen, middle, x[:, 0], x[:, 1:].mean(1)], 1), w["head.weight"], w["head.bias"])


def depth(name):
    return FIRST + 2 - int(name.split(".")[1]) if name.startswith("blocks.") else 0


class Convolutions(torch.nn.Module):
    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.conv1, self.norm1 = nn.Conv2d(4, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6, momentum=0.3)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return self.head(F.relu(self.norm2(self.conv2(x))).mean((2, 3)))


def norms(folder):
    g = torch.Generator().manual_seed(12)
    net = Convolutions().double()
    state = {k: (torch.randn(v.shape, generator=g) * 0.3 + (k.startswith("norm") and k.endswith("weight"))).half() for k, v in net.state_dict().items()
             if "tracked" not in k}
    state |= {k: v.abs() + 0.5 for k, v in state.items() if k.endswith("running_var")}
    net.load_state_dict({k: v.double() for k, v in state.items()}, strict=False)
    out = {"before." + k: v for k, v in state.items()}
    out["x"], out["labels"] = torch.randn(BATCH, 4, 5, 5, generator=g).half(), torch.arange(BATCH).remainder(CLASSES).half()
    x, labels = out["x"].double(), out["labels"].long()
    groups = [{"params": [v], "weight_decay": WEIGHT_DECAY if v.dim() > 1 else 0.0} for v in net.parameters()]
    optimizer, losses = torch.optim.AdamW(groups, lr=RATE), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    out["losses"] = torch.tensor(losses, dtype=torch.float32)
    out |= {"after." + k: v.float() for k, v in net.state_dict().items() if "tracked" not in k}
    out["logits"] = net.eval()(x).detach().float()
    save_file({k: v.contiguous() for k, v in out.items()}, pathlib.Path(folder) / "norm.safetensors")


def main(source, folder):
    norms(folder)
    g = torch.Generator().manual_seed(11)
    w = {k: v.double() for k, v in load_file(source).items() if k.startswith(("norm.", f"blocks.{FIRST}.", f"blocks.{FIRST + 1}."))}
    width = w["norm.weight"].numel()
    round16 = lambda *shape: torch.randn(shape, generator=g).half()
    w["head.weight"], w["head.bias"] = (round16(CLASSES, 4 * width) * 0.1).double(), (round16(CLASSES) * 0.1).double()
    out = {"head.weight": w["head.weight"].half(), "head.bias": w["head.bias"].half()}
    out["tokens"], out["labels"] = round16(BATCH, TOKENS, width), torch.arange(BATCH).remainder(CLASSES).half()
    tokens, labels = out["tokens"].double(), out["labels"].long()
    before = {k: v.clone() for k, v in w.items()}
    for v in w.values():
        v.requires_grad_()
    groups = [{"params": [v], "lr": RATE * DECAY ** depth(k), "weight_decay": WEIGHT_DECAY if v.dim() > 1 else 0.0} for k, v in w.items()]
    optimizer, losses = torch.optim.AdamW(groups), []
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = forward(w, tokens)
        loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out["logits"] = logits.detach().float()
            out.update({"gradient." + k: v.grad.float() for k, v in w.items()})
        optimizer.step()
    out["losses"] = torch.tensor(losses, dtype=torch.float32)
    out.update({"moved." + k: (v.detach() - before[k]).half() for k, v in w.items()})
    save_file({k: v.contiguous() for k, v in out.items()}, pathlib.Path(folder) / "tail.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
