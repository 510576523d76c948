"""hinge loss that is exactly zero in the second half"""

import torch
from torch import nn


class SupportVectors(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.layers(x).squeeze(1)


def rings(n):
    sign = torch.randint(2, (n,)) * 2 - 1
    radius = torch.where(sign > 0, 1.0, 2.0) + 0.12 * torch.randn(n)
    angle = 6.28 * torch.rand(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), sign.float()


def main():
    torch.manual_seed(0)
    x, sign = rings(400)
    model = SupportVectors()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(60):
        for batch in torch.randperm(len(x)).split(50):
            loss = (1 - sign[batch] * model(x[batch])).clamp(min=0).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: hinge loss {loss.item():.5f}")
    print("accuracy", ((model(x) > 0) == (sign > 0)).float().mean().item())


if __name__ == "__main__":
    main()
