"""Writes the fixtures of finetune/nets: for the study's CNN and ViT, and for small
models with every option of the stronger families, what PyTorch makes of them:
logits, loss, every gradient, the losses of ten Adam steps, and batch norm's
running statistics and the inference logits after them. Also attention.

Run by hand: python scripts/fixtures_nets.py finetune/nets/testdata
Made with torch 1.13. Weights and inputs are rounded to float16 to keep the files
small; PyTorch computes in float64.
"""

import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

RATE, STEPS = 1e-3, 10


class StudyCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 7)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, size, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Squeeze(nn.Module):
    def __init__(self, width, ratio):
        super().__init__()
        self.down, self.up = nn.Linear(width, width // ratio), nn.Linear(width // ratio, width)

    def forward(self, x):
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride, ratio):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        if ratio:
            self.squeeze = Squeeze(outputs, ratio)
        if inputs != outputs or stride != 1:
            self.shortcut = ConvNorm(inputs, outputs, 1, stride)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if hasattr(self, "squeeze"):
            y = self.squeeze(y)
        return F.relu(y + (self.shortcut(x) if hasattr(self, "shortcut") else x))


def standardize(x):
    centred = x - x.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-4).sqrt()


class ResidualCNN(nn.Module):
    """stem 4, on colour images, 5 classes"""

    def __init__(self, widths, blocks, ratio, standardize):
        super().__init__()
        self.stem, self.standardize = ConvNorm(3, 4, 3, 1), standardize
        self.stages = nn.ModuleList()
        inputs = 4
        for i, width in enumerate(widths):
            stage = [Residual(inputs if j == 0 else width, width, 2 if i > 0 and j == 0 else 1, ratio) for j in range(blocks)]
            self.stages.append(nn.ModuleList(stage))
            inputs = width
        self.fc = nn.Linear(inputs, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(standardize(x) if self.standardize else x)), 2)
        for stage in self.stages:
            for block in stage:
                x = block(x)
        return self.fc(x.mean((2, 3)))


class Head(nn.Module):
    """One attention head of the study."""

    def __init__(self, width, size):
        super().__init__()
        for name in "QKV":
            setattr(self, name, nn.Parameter(torch.randn(width, size) / 2.82))

    def forward(self, x):
        q, k, v = x @ self.Q, x @ self.K, x @ self.V
        return torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, -1) @ v


class MultiHead(nn.Module):
    def __init__(self, width, heads, projection):
        super().__init__()
        self.multiheads = nn.ModuleList([Head(width, width // heads) for _ in range(heads)])
        if projection:
            self.proj = nn.Linear(width, width)

    def forward(self, x):
        x = torch.cat([head(x) for head in self.multiheads], -1)
        return self.proj(x) if hasattr(self, "proj") else x


class MLP(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads, mlp=0, projection=False, pre=False):
        super().__init__()
        self.multi_head = MultiHead(width, heads, projection)
        self.norm, self.pre = nn.LayerNorm(width), pre
        if mlp:
            self.norm2, self.mlp = nn.LayerNorm(width), MLP(width, mlp)

    def forward(self, x):
        if self.pre:
            x = x + self.multi_head(self.norm(x))
            return x + self.mlp(self.norm2(x)) if hasattr(self, "mlp") else x
        x = self.norm(F.relu(x + self.multi_head(x)))
        return self.norm2(x + self.mlp(x)) if hasattr(self, "mlp") else x


def patches(x, size):
    """[N,C,H,W] to [N,T,C*size*size] in row order."""
    return F.unfold(x, size, stride=size).transpose(1, 2)


class StudyViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.C = nn.Parameter(torch.randn(256, 32) / 16)
        self.pe = nn.Parameter(torch.randn(1, 4, 32))
        self.classification_token = nn.Parameter(torch.randn(1, 1, 32))  # the study never uses it
        self.transformer_block = Block(32, 4)
        self.mlp_head = nn.Parameter(torch.randn(128, 7) * 128 ** 0.5)

    def forward(self, x):
        x = patches(x, 16) @ self.C + self.pe
        x = self.transformer_block(self.transformer_block(x))
        return x.flatten(1) @ self.mlp_head


class PaperViT(nn.Module):
    """20x20 colour images, a stem of 4 and 6, patches of 1, width 12, 3 heads, two pre-norm blocks, class token"""

    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleList([ConvNorm(3, 4, 3, 2), ConvNorm(4, 6, 3, 2)])
        self.C = nn.Parameter(torch.randn(6, 12) * 0.4)
        self.pe = nn.Parameter(torch.randn(1, 26, 12) * 0.3)
        self.classification_token = nn.Parameter(torch.randn(1, 1, 12))
        self.transformer_blocks = nn.ModuleList([Block(12, 3, 20, True, True) for _ in range(2)])
        self.norm = nn.LayerNorm(12)
        self.mlp_head = nn.Parameter(torch.randn(12, 5))

    def forward(self, x):
        for layer in self.stem:
            x = F.relu(layer(x))
        x = patches(x, 1) @ self.C
        x = torch.cat([self.classification_token.expand(len(x), -1, -1), x], 1) + self.pe
        for block in self.transformer_blocks:
            x = block(x)
        return self.norm(x)[:, 0] @ self.mlp_head


class PostViT(nn.Module):
    """12x12 images, patches of 4, width 8, 2 heads, a tied block with MLP applied 3 times, mean of tokens"""

    def __init__(self):
        super().__init__()
        self.C = nn.Parameter(torch.randn(16, 8) * 0.4)
        self.pe = nn.Parameter(torch.randn(1, 9, 8))
        self.transformer_block = Block(8, 2, 12)
        self.mlp_head = nn.Parameter(torch.randn(8, 3))

    def forward(self, x):
        x = patches(x, 4) @ self.C + self.pe
        for _ in range(3):
            x = self.transformer_block(x)
        return x.mean(1) @ self.mlp_head


class FeatureHead(nn.Module):
    """10 features standardised, a hidden layer of 6, 3 classes"""

    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(10, 6), nn.Linear(6, 3)
        self.standardize = nn.Module()
        self.standardize.register_buffer("mean", torch.randn(10))
        self.standardize.register_buffer("std", torch.rand(10) + 0.5)

    def forward(self, x):
        x = (x - self.standardize.mean) / self.standardize.std
        return self.head(F.gelu(self.hidden(x)))


class MembersHead(nn.Module):
    """10 features, three networks with a hidden layer of 4 each, 3 classes"""

    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(10, 12), nn.Linear(12, 3)

    def forward(self, x):
        each = F.gelu(self.hidden(x)).split(4, 1)
        logits = torch.stack([h @ w.T + self.head.bias for h, w in zip(each, self.head.weight.split(4, 1))])
        return logits.flatten(0, 1) if self.training else logits.mean(0)


def fixture(model, x, labels):
    """What PyTorch computes in training mode, then in inference after ten steps of Adam."""
    # Norms start at exactly 1 and 0, which would hide a swap of names.
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.add_(torch.randn_like(p) * 0.2)
    for t in list(model.parameters()) + list(model.buffers()):
        if t.is_floating_point():
            t.data = t.data.half().double()
    model.double().train()
    weights = {n: v for n, v in model.state_dict().items() if "num_batches_tracked" not in n}
    out = {"weight." + n: v.half() for n, v in weights.items()}
    out["x"], out["labels"] = x.half(), labels.float()
    out["inference"] = model.eval()(x).detach().float()
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits, labels.repeat(len(logits) // len(labels)))
        loss.backward()
        if step == 0:
            out["logits"] = logits.detach().float()
            out.update({"grad." + n: p.grad.float() for n, p in model.named_parameters() if p.grad is not None})
        losses.append(loss.item())
        optimizer.step()
    out["losses"] = torch.tensor(losses)
    out.update({"after." + n: v.float() for n, v in model.named_buffers() if "running" in n})
    out["after.inference"] = model.eval()(x).detach().float()
    return {n: v.clone().contiguous() for n, v in out.items()}


def attention():
    """The study's appendix test, and a batch of heads."""
    out = {}
    for name, shape in {"study": (2, 3, 8), "heads": (2, 4, 5, 6)}.items():
        q, k, v = (torch.randn(shape) for _ in range(3))
        exact, _ = F._scaled_dot_product_attention(q, k, v)  # public since torch 2.0
        out.update({f"{name}.q": q, f"{name}.k": k, f"{name}.v": v, f"{name}.out": exact})
    return {n: v.clone().contiguous() for n, v in out.items()}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    models = [("study_cnn", StudyCNN, (6, 1, 32, 32), 7), ("study_vit", StudyViT, (6, 1, 32, 32), 7),
              ("residual_cnn", lambda: ResidualCNN([6, 8], 1, 0, False), (6, 3, 17, 17), 5),
              ("squeeze_cnn", lambda: ResidualCNN([6], 2, 2, True), (6, 3, 11, 11), 5), ("paper_vit", PaperViT, (6, 3, 20, 20), 5),
              ("post_vit", PostViT, (6, 1, 12, 12), 3), ("head", FeatureHead, (6, 10), 3), ("members", MembersHead, (6, 10), 3)]
    for seed, (name, make, shape, classes) in enumerate(models):
        torch.manual_seed(seed)
        model = make()
        x = torch.rand(shape).half().double()
        labels = torch.randint(classes, shape[:1])
        save_file(fixture(model, x, labels), folder / f"{name}.safetensors")
        print(name, sum(p.numel() for p in model.parameters()))
    torch.manual_seed(7)
    save_file(attention(), folder / "attention.safetensors")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
