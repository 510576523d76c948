"""Flow matching on a ring of points, sampled with a thousand Euler steps."""
import math

import torch
from torch import nn

torch.manual_seed(0)
dtype = torch.bfloat16
net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)


def ring(count):
    angle = 2 * math.pi * torch.rand(count)
    return torch.stack([angle.cos(), angle.sin()], 1) * 2 + 0.05 * torch.randn(count, 2)


for step in range(600):
    data, noise, t = ring(256), torch.randn(256, 2), torch.rand(256, 1)
    mixed = (1 - t) * data + t * noise
    loss = ((net(torch.cat([mixed, t], 1)) - (noise - data)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"training loss {loss.item():.3f}")


@torch.no_grad()
def sample(count, steps):
    x = torch.randn(count, 2)
    t = torch.ones(count, 1, dtype=dtype)
    dt = 1 / steps
    for _ in range(steps):
        velocity = net(torch.cat([x, t.float()], 1))
        x = x - dt * velocity
        t = t - dt
    return x, t


for steps in (10, 100, 1000):
    x, t = sample(400, steps)
    radius = x.norm(dim=1)
    print(f"{steps:4d} steps: radius {radius.mean():.3f} +- {radius.std():.3f}, time at the end {t.mean().item():.4f}")
