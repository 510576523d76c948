"""normalising flow, RealNVP"""

import math

import torch
from torch import nn


class Coupling(nn.Module):
    def __init__(self, mask, hidden=48):
        super().__init__()
        self.register_buffer("mask", mask)
        self.scale = nn.Sequential(
            nn.Linear(2, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, 2),
            nn.Tanh(),
        )
        self.shift = nn.Sequential(
            nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2)
        )

    def forward(self, x):
        kept = x * self.mask
        s = self.scale(kept) * (1 - self.mask)
        t = self.shift(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * (x - t) * torch.exp(-s), -s.sum(dim=1)


class RealNVP(nn.Module):
    def __init__(self, layers=6):
        super().__init__()
        masks = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(layers // 2, 1)
        self.layers = nn.ModuleList(Coupling(mask) for mask in masks)
        self.prior = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))

    def log_prob(self, x):
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return self.prior.log_prob(x) + total


def two_moons(n, noise=0.1):
    angle = math.pi * torch.rand(n)
    side = (torch.rand(n) < 0.5).float()
    x = torch.where(side > 0, angle.cos(), 1 - angle.cos())
    y = torch.where(side > 0, angle.sin(), 0.5 - angle.sin())
    return torch.stack([x, y], 1) + noise * torch.randn(n, 2)


torch.manual_seed(0)
flow = RealNVP()
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
for step in range(350):
    loss = -flow.log_prob(two_moons(200)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"iter {step}: loss = {loss.item():.3f}")
