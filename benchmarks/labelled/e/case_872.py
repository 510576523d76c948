import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def load():
    x = torch.rand(1600, 4) * 2 - 1
    centre = 3 * torch.sin(3 * x[:, 0]) + 2 * x[:, 1] * x[:, 2]
    spread = 0.3 + 0.6 * (x[:, 3] + 1)
    return x, centre + spread * torch.randn(1600)


def pinball(pred, y):
    err = y.unsqueeze(1) - pred
    return torch.maximum(QUANTILES * err, (QUANTILES - 1) * err).mean()


class QuantileNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.low = nn.Linear(hidden, 1)
        self.gaps = nn.Linear(hidden, 2)

    def forward(self, x):
        h = self.trunk(x)
        low = self.low(h)
        return torch.cat([low, low + nn.functional.softplus(self.gaps(h)).cumsum(1)], 1)


x, y = load()
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
net = QuantileNet()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.3)
for epoch in range(10):
    total = 0.0
    for xb, yb in loader:
        loss = pinball(net(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    scheduler.step()
    print(f"epoch {epoch} pinball {total / len(x):.4f}")
with torch.no_grad():
    inside = ((y > net(x)[:, 0]) & (y < net(x)[:, 2])).float().mean().item()
print("coverage of the 80 % band", round(inside, 3))
