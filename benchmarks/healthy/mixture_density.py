"""mixture density network"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class MixtureDensity(nn.Module):
    def __init__(self, hidden=32, components=5):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.weight = nn.Linear(hidden, components)
        self.mean = nn.Linear(hidden, components)
        self.log_sigma = nn.Linear(hidden, components)

    def forward(self, x):
        h = self.hidden(x)
        return F.log_softmax(self.weight(h), dim=1), self.mean(h), self.log_sigma(h)


def negative_log_likelihood(y, log_weight, mean, log_sigma):
    z = (y - mean) * torch.exp(-log_sigma)
    log_density = -0.5 * z**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(log_weight + log_density, dim=1).mean()


def inverse_problem(n):
    """Bishop's example: y = x + 0.3 sin(2 pi x), with the axes swapped, so that x has up to three answers."""
    y = torch.rand(n, 1)
    x = y + 0.3 * torch.sin(2 * math.pi * y) + 0.05 * torch.randn(n, 1)
    return x, y


def main():
    torch.manual_seed(0)
    model = MixtureDensity()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(700):
        x, y = inverse_problem(128)
        loss = negative_log_likelihood(y, *model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
