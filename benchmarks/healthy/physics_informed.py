"""physics-informed network, second derivatives"""

import torch
from torch import nn


class Field(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.first = nn.Linear(1, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, 1)
        for layer in (self.first, *self.hidden, self.last):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.last(x)


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


def residual(field, x):
    """u'' + pi^2 sin(pi x) = 0, whose solution between zeros at -1 and 1 is sin(pi x)."""
    u = field(x)
    return derivative(derivative(u, x), x) + torch.pi**2 * torch.sin(torch.pi * x)


def main():
    torch.manual_seed(0)
    field = Field()
    optimizer = torch.optim.Adam(field.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.997)
    boundary = torch.tensor([[-1.0], [1.0]])
    for step in range(700):
        x = (2 * torch.rand(100, 1) - 1).requires_grad_()
        loss = residual(field, x).pow(2).mean() + 20 * field(boundary).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.5f}")
    x = torch.linspace(-1, 1, 101)[:, None]
    print("largest error", (field(x) - torch.sin(torch.pi * x)).abs().max().item())


if __name__ == "__main__":
    main()
