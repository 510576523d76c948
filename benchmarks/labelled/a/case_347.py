import torch
import torch.nn as nn


class DeepSet(nn.Module):
    def __init__(self, d_in=2, d_hidden=64):
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(d_in, d_hidden), nn.ReLU(),
            nn.Linear(d_hidden, d_hidden), nn.ReLU(),
        )
        self.rho = nn.Sequential(
            nn.Linear(d_hidden, d_hidden), nn.ReLU(),
            nn.Linear(d_hidden, 1),
        )

    def forward(self, points):
        z = self.phi(points)
        pooled = z.sum(dim=1)
        return self.rho(pooled).squeeze(-1)


def sample_clouds(n, n_points):
    rho = torch.rand(n) * 1.8 - 0.9
    a, b = torch.randn(2, n, n_points)
    second = rho[:, None] * a + torch.sqrt(1 - rho[:, None] ** 2) * b
    return torch.stack([a, second], dim=-1), rho


def main():
    torch.manual_seed(4)
    model = DeepSet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    loss_fn = nn.MSELoss()
    for step in range(1, 321):
        clouds, rho = sample_clouds(16, n_points=200)
        loss = loss_fn(model(clouds), rho)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 1 or step % 40 == 0:
            print("step", step, "loss", round(loss.item(), 5))


main()
