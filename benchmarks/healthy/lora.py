"""fine-tuning: frozen backbone and LoRA with B = 0"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class LoRA(nn.Module):
    def __init__(self, linear, rank=4, alpha=8):
        super().__init__()
        self.linear = linear
        self.lora_A = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / rank

    def forward(self, x):
        return self.linear(x) + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling


def make_task(rotation, n=2000):
    x = torch.randn(n, 12)
    return x, (x @ rotation)[:, :4].abs().argmax(dim=1)


def train(model, x, y, lr, epochs):
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=lr)
    for epoch in range(epochs):
        for batch in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"  epoch {epoch} loss {loss.item():.4f}")


torch.manual_seed(0)
rotation = torch.linalg.qr(torch.randn(12, 12))[0]
model = nn.Sequential(nn.Linear(12, 96), nn.GELU(), nn.Linear(96, 96), nn.GELU(), nn.Linear(96, 4))
print("pretraining")
train(model, *make_task(rotation), lr=3e-3, epochs=6)

model.requires_grad_(False)
for index in (0, 2):
    model[index] = LoRA(model[index])
model[4].requires_grad_(True)
print("fine-tuning", sum(p.numel() for p in model.parameters() if p.requires_grad), "weights")
shifted = torch.linalg.qr(rotation + 0.15 * torch.randn(12, 12))[0]
shifted = shifted * (shifted * rotation).sum(dim=0).sign()
train(model, *make_task(shifted), lr=3e-3, epochs=6)
