import argparse
import math
import torch
from torch import nn
import torch.nn.functional as F

ap = argparse.ArgumentParser()
ap.add_argument("--mixtures", type=int, default=5)
ap.add_argument("--hidden", type=int, default=32)
ap.add_argument("--steps", type=int, default=300)
cfg = ap.parse_args()
torch.manual_seed(8)


class MDN(nn.Module):
    def __init__(self, hidden, k):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.pi = nn.Linear(hidden, k)
        self.mu = nn.Linear(hidden, k)
        self.sigma = nn.Linear(hidden, k)

    def forward(self, x):
        h = self.trunk(x)
        return F.log_softmax(self.pi(h), 1), self.mu(h), F.softplus(self.sigma(h)) + 1e-2


def mdn_loss(log_pi, mu, sigma, y):
    log_gauss = -0.5 * ((y - mu) / sigma) ** 2 - torch.log(sigma) - 0.5 * math.log(2 * math.pi)
    likelihood = (log_pi.exp() * log_gauss.exp()).sum(1)
    return -torch.log(likelihood).mean()


y_all = torch.rand(1500, 1) * 21 - 10.5
x_all = torch.sin(0.75 * y_all) * 7.0 + y_all * 0.5 + torch.randn(1500, 1) * 0.5
x_all = x_all / x_all.std()

model = MDN(cfg.hidden, cfg.mixtures)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(cfg.steps):
    idx = torch.randint(0, len(x_all), (128,))
    loss = mdn_loss(*model(x_all[idx]), y_all[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(f"{step:4d} nll {loss.item():.4f}")
