"""neural ODE with Euler steps"""

import torch
from torch import nn


class Derivative(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 2))
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.1)
                nn.init.zeros_(layer.bias)

    def forward(self, y):
        return self.net(y**3)


def integrate(derivative, y, steps, dt):
    path = [y]
    for _ in range(steps):
        y = y + dt * derivative(y)
        path.append(y)
    return torch.stack(path)


def true_derivative(y):
    return y**3 @ torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])


torch.manual_seed(0)
dt, horizon, batch = 0.025, 15, 24
fine = integrate(true_derivative, torch.tensor([[2.0, 0.0]]), 20_000, dt / 40)
trajectory = fine[::40, 0]
model = Derivative()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for iteration in range(350):
    start = torch.randint(len(trajectory) - horizon, (batch,))
    target = torch.stack([trajectory[start + i] for i in range(horizon + 1)])
    predicted = integrate(model, target[0], horizon, dt)
    loss = (predicted - target).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if iteration % 50 == 0:
        print(f"Iter {iteration:04d} | Total Loss {loss.item():.6f}")
