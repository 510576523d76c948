import torch
from torch import nn

torch.manual_seed(0)
SIDE = 64
axis = torch.linspace(-1, 1, SIDE)
yy, xx = torch.meshgrid(axis, axis, indexing="ij")
coords = torch.stack([xx, yy], -1).view(-1, 2)
picture = 0.5 * torch.sin(6 * xx + 3 * yy) + 0.3 * torch.cos(9 * yy * xx) + 0.2 * (xx ** 2 + yy ** 2 < 0.4).float()
held = torch.rand(SIDE * SIDE) < 0.3
target = picture.view(-1, 1)


class Sine(nn.Module):
    def __init__(self, n_in, n_out, first=False, omega=30.0):
        super().__init__()
        self.omega = omega
        self.lin = nn.Linear(n_in, n_out)
        bound = 1 / n_in if first else (6 / n_in) ** 0.5
        nn.init.uniform_(self.lin.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.lin(x))


net = nn.Sequential(Sine(2, 24, first=True), Sine(24, 24), Sine(24, 24), nn.Linear(24, 1))
opt = torch.optim.Adam(net.parameters(), lr=3e-4)
losses = []
for it in range(250):
    pred = net(coords[~held])
    loss = ((pred - target[~held]) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if it % 25 == 0:
        with torch.no_grad():
            val = ((net(coords[held]) - target[held]) ** 2).mean().item()
        print(f"{it} train {loss.item():.5f} held out {val:.5f}")
