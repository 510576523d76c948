"""Altitude of a drone from four barometers, with our own batch normalisation."""
import torch
from torch import nn

torch.manual_seed(2)
n = 1024
height = torch.rand(n, 1) * 3
bias = torch.tensor([0.4, -0.2, 0.1, -0.5])
pressure = 101325 - 12.0 * height + bias + 0.2 * torch.randn(n, 4)


class BatchNorm(nn.Module):
    def __init__(self, features, eps=1e-5):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.shift = nn.Parameter(torch.zeros(features))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(0)
        variance = ((x - mean) ** 2).mean(0)
        return self.gain * (x - mean) / torch.sqrt(variance + self.eps) + self.shift


model = nn.Sequential(BatchNorm(4), nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(15):
    order = torch.randperm(n)
    total = 0.0
    for batch in order.split(128):
        loss = ((model(pressure[batch]) - height[batch]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 3 == 0 or epoch == 14:
        print(f"epoch {epoch:2d} mse {total / n:.5f}")
