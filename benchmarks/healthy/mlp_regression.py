"""MLP regression with Adam"""

import torch
from torch import nn


def friedman(count):
    """The first of Friedman's test functions, standardised: ten inputs, of which five matter."""
    x = torch.rand(count, 10)
    y = 10 * torch.sin(torch.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, (y - 14.4) / 4.9 + 0.05 * torch.randn(count)


def main():
    torch.manual_seed(0)
    x, y = friedman(2000)
    held_out_x, held_out_y = friedman(500)
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    for epoch in range(20):
        order = torch.randperm(len(x))
        total = 0.0
        for batch in order.split(64):
            loss = nn.functional.mse_loss(model(x[batch]).squeeze(1), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch:2d}  training error {total / len(x):.4f}")

    with torch.no_grad():
        error = nn.functional.mse_loss(model(held_out_x).squeeze(1), held_out_y)
    print(f"held-out error {error.item():.4f}")


if __name__ == "__main__":
    main()
