"""Poisson problem u'' = -pi^2 sin(pi x) on [0, 1] with a small network."""
import math

import torch
from torch import nn

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
x = torch.linspace(0.02, 0.98, 64).unsqueeze(1)
edges = torch.tensor([[0.0], [1.0]])
source = -math.pi ** 2 * torch.sin(math.pi * x)
h = 2e-2


def second_derivative(points):
    return (net(points + h) - 2 * net(points) + net(points - h)) / h ** 2


optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(1000):
    residual = second_derivative(x) - source
    loss = (residual ** 2).mean() + 100 * (net(edges) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 250 == 0 or step == 999:
        with torch.no_grad():
            error = (net(x) - torch.sin(math.pi * x)).abs().max().item()
        print(f"step {step:4d} loss {loss.item():.4f} largest error {error:.4f}")
with torch.no_grad():
    print("solution at 0.25, 0.5, 0.75:", net(torch.tensor([[0.25], [0.5], [0.75]])).squeeze(1).tolist())
