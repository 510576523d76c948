import torch
from torch import nn


def positive(z):
    return nn.functional.softplus(z)


class Intensity(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.conv = nn.Conv1d(2, channels, 5, padding=2)
        self.mid = nn.Conv1d(channels, channels, 5, padding=2)
        self.top = nn.Conv1d(channels, 1, 1)

    def forward(self, x):
        h = torch.relu(self.conv(x))
        h = torch.relu(self.mid(h))
        rate = positive(self.top(h))
        return rate.squeeze(1)


def calls(batch, hours=48):
    t = torch.arange(hours).float() + 24 * torch.rand(batch, 1)
    promo = (torch.rand(batch, hours) < 0.1).float()
    mean = 70 + 40 * torch.sin(t / 24 * 6.2832) + 25 * promo
    return torch.stack([torch.sin(t / 24 * 6.2832), promo], 1), torch.poisson(mean)


torch.manual_seed(27)
net = Intensity()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(500):
    x, count = calls(16)
    rate = net(x)
    loss = (rate - count * torch.log(rate + 1e-6)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(f"step {step} poisson nll {loss.item():.3f} largest rate {rate.max().item():.1f}")
