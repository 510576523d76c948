"""set transformer by hand with masked attention and cosine schedule"""

import math

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, size, heads=4):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(size, size, bias=False) for _ in range(3))
        self.out = nn.Linear(size, size)

    def forward(self, x, missing):
        batch, length, size = x.shape
        q, k, v = (f(x).view(batch, length, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        score = q @ k.transpose(-2, -1) / math.sqrt(size / self.heads)
        score = score.masked_fill(missing[:, None, None, :], float("-inf"))
        y = score.softmax(dim=-1) @ v
        return self.out(y.transpose(1, 2).reshape(batch, length, size))


class SetModel(nn.Module):
    def __init__(self, size=32, layers=2):
        super().__init__()
        self.input = nn.Linear(2, size)
        self.attention = nn.ModuleList(Attention(size) for _ in range(layers))
        self.norm = nn.ModuleList(nn.LayerNorm(size) for _ in range(layers))
        self.output = nn.Linear(size, 1)

    def forward(self, points, missing):
        x = self.input(points)
        for norm, attention in zip(self.norm, self.attention, strict=True):
            x = x + attention(norm(x), missing)
        present = (~missing).unsqueeze(-1).float()
        return self.output((x * present).sum(1) / present.sum(1)).squeeze(1)


def point_sets(count, longest=10):
    """How far is the largest distance between two points of the set?"""
    points = torch.rand(count, longest, 2) * 2 - 1
    missing = torch.arange(longest) >= torch.randint(2, longest + 1, (count, 1))
    distance = torch.cdist(points, points)
    distance = distance.masked_fill(missing[:, None, :] | missing[:, :, None], 0.0)
    return points.masked_fill(missing[..., None], 0.0), missing, distance.amax(dim=(1, 2))


torch.manual_seed(0)
model = SetModel()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
for step in range(300):
    points, missing, diameter = point_sets(32)
    loss = nn.functional.smooth_l1_loss(model(points, missing), diameter)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if step % 30 == 0:
        print(f"step {step}: {loss.item():.5f}")
